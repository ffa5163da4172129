"""A client of Spark Connect that cannot be made is told with what to do."""

from __future__ import annotations

import builtins
import sys
from typing import Any

import pytest

from lakeloop import connect
from lakeloop.errors import ConfigurationError, MachineError


def test_packages_that_are_not_there_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without_grpc(name: str, *given: Any, **named: Any) -> Any:
        if name == "grpc":
            raise ImportError("No module named 'grpc'")
        return original(name, *given, **named)

    monkeypatch.delitem(sys.modules, "grpc", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_grpc)
    with pytest.raises(MachineError, match=r"grpc.*pip install 'lakeloop\[connect\]'$"):
        connect.check_packages()


def test_an_address_without_a_server_is_told_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "PATIENCE", 0.5)
    with pytest.raises(MachineError) as caught:
        connect.client_at("sc://localhost:1", {})
    assert str(caught.value).startswith("No Spark Connect server answers at sc://localhost:1 (environment.remote).")


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(ConfigurationError, match="sc://host:15002"):
        connect.client_at("sc://localhost:1/path", {})
