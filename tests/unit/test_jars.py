"""Delta's jars are fetched once, whole or not at all; then they are taken from a folder at no cost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lakeloop import jars
from lakeloop.errors import MachineError

FakeJava = Callable[[str], Path]

# The folder that Ivy is told to put the jars in: what stands before /[artifact] in the word after -retrieve.
RETRIEVE = """
while [ "$1" != "-retrieve" ]; do shift; done
folder="${2%%/[[]*}"
mkdir -p "$folder"
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAKELOOP_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LAKELOOP_IVY_SETTINGS", raising=False)
    return jars.cache_folder()


def _never() -> str:
    return "/no/such/java"


def test_jars_that_are_there_are_used_without_starting_anything(cache: Path) -> None:
    cache.mkdir(parents=True)
    for name in jars.expected():
        (cache / name).write_text("jar", encoding="utf-8")
    assert jars.delta_jars(_never()) == [cache / name for name in jars.expected()]


def test_a_fetch_puts_all_jars_into_the_folder(cache: Path, fake_java: FakeJava) -> None:
    java = fake_java(RETRIEVE + f'for name in {" ".join(jars.expected())}; do echo jar > "$folder/$name"; done')
    found = jars.delta_jars(str(java))
    assert found == [cache / name for name in jars.expected()]
    assert all(path.is_file() for path in found)
    assert jars.delta_jars(_never()) == found


def test_a_fetch_that_fails_is_one_error_that_tells_what_to_do(cache: Path, fake_java: FakeJava) -> None:
    java = fake_java("echo 'UnknownHostException: repo1.maven.org' >&2\nexit 1")
    with pytest.raises(MachineError) as caught:
        jars.delta_jars(str(java))
    text = str(caught.value)
    log = cache.parent / "fetch-jars.log"
    assert text.startswith(f"Delta Lake {jars.DELTA} could not be fetched from Maven Central")
    assert "LAKELOOP_IVY_SETTINGS" in text
    assert text.endswith(f"Details: {log}")
    assert "\n" not in text
    assert "UnknownHostException" not in text
    assert "UnknownHostException" in log.read_text(encoding="utf-8")


def test_a_fetch_that_is_cut_off_leaves_nothing_but_its_log(cache: Path, fake_java: FakeJava) -> None:
    java = fake_java(RETRIEVE + f'echo jar > "$folder/{jars.expected()[0]}"\nexit 1')
    with pytest.raises(MachineError, match=jars.expected()[1]):
        jars.delta_jars(str(java))
    assert [path.name for path in cache.parent.iterdir()] == ["fetch-jars.log"]


def test_a_folder_that_lacks_a_jar_is_fetched_anew(cache: Path, fake_java: FakeJava) -> None:
    cache.mkdir(parents=True)
    (cache / jars.expected()[0]).write_text("old", encoding="utf-8")
    java = fake_java(RETRIEVE + f'for name in {" ".join(jars.expected())}; do echo new > "$folder/$name"; done')
    assert {path.read_text(encoding="utf-8") for path in jars.delta_jars(str(java))} == {"new\n"}


def test_a_mirrors_settings_are_handed_to_ivy(fake_java: FakeJava, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKELOOP_IVY_SETTINGS", "/etc/ivysettings.xml")
    java = fake_java('echo "$@"\nexit 1')
    with pytest.raises(MachineError):
        jars.delta_jars(str(java))
    log = jars.cache_folder().parent / "fetch-jars.log"
    assert log.read_text(encoding="utf-8").endswith("-settings /etc/ivysettings.xml\n")


def test_a_cache_that_cannot_be_made_is_told(
    tmp_path: Path, fake_java: FakeJava, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("LAKELOOP_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(MachineError, match="Not a directory"):
        jars.delta_jars(str(fake_java("exit 1")))


def test_the_cache_is_where_the_user_keeps_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAKELOOP_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert jars.cache_folder() == tmp_path / "xdg" / "lakeloop" / f"delta-{jars.DELTA}"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert jars.cache_folder() == tmp_path / ".cache" / "lakeloop" / f"delta-{jars.DELTA}"


def test_of_two_fetches_at_once_the_first_to_end_is_kept(cache: Path, fake_java: FakeJava) -> None:
    other = f'mkdir -p {cache}; for name in {" ".join(jars.expected())}; do echo other > "{cache}/$name"; done\n'
    own = f'for name in {" ".join(jars.expected())}; do echo jar > "$folder/$name"; done'
    found = jars.delta_jars(str(fake_java(RETRIEVE + own + "\n" + other)))
    assert {path.read_text(encoding="utf-8") for path in found} == {"other\n"}
