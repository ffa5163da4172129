"""Spark Connect: a client of a server that is there, or of one that is started in this process for a run."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lakeloop.errors import ConfigurationError, MachineError, Problem
from lakeloop.terminal import errors

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Seconds in which a server that is there has to answer. Spark itself would try for ten minutes.
PATIENCE = 20
# How often a call to one's own server is tried again: for some twenty seconds.
RETRIES = 7

_TOKEN = "SPARK_CONNECT_AUTHENTICATE_TOKEN"
# Spark's own words for a client with a server in its process: functions make expressions of Spark Connect then, and
# `SparkSession.builder` gives the client.
_CLIENT = ("SPARK_LOCAL_REMOTE", "SPARK_CONNECT_MODE_ENABLED")

# What makes a Spark session serve clients of this machine, at any free port: several runs may go on side by side.
SERVER_SETTINGS = {
    "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
    "spark.connect.grpc.binding.address": "localhost",
    "spark.connect.grpc.binding.port": "0",
}


def check_packages() -> None:
    """MachineError where this Python lacks what a client needs."""
    from pyspark.errors import PySparkImportError

    # Spark's own check of all of them ends a process that has no main module, taking it for one of its tests.
    try:
        from pyspark.sql.connect import utils

        utils.require_minimum_grpc_version()
        utils.require_minimum_grpcio_status_version()
        utils.require_minimum_googleapis_common_protos_version()
        utils.require_minimum_zstandard_version()
    except (ImportError, PySparkImportError) as error:
        raise MachineError(
            f"Spark Connect needs packages that are not here ({error}): pip install 'lakeloop[connect]'"
        ) from error


def client_here() -> SparkSession | None:
    """The client that this process has of its own server, if it has one."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    if "SPARK_LOCAL_REMOTE" in os.environ and SparkContext._active_spark_context is not None:
        return SparkSession.builder.getOrCreate()
    return None


def prepare_server() -> None:
    """To be called before Java starts. Only who knows the token, this process and its children, may use the server;
    and what an earlier client has left in the environment would make the server a client."""
    os.environ.setdefault(_TOKEN, str(uuid.uuid4()))
    for name in _CLIENT:
        os.environ.pop(name, None)


def client_of(server: SparkSession) -> SparkSession:
    """A client of the server that ``server``, a session with SERVER_SETTINGS in this process, has started. Who stops
    the client stops the server too."""
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.session import SparkSession as Client

    jvm = server._jvm
    port = getattr(getattr(jvm, "org.apache.spark.sql.connect.service.SparkConnectService$"), "MODULE$").localPort()
    os.environ.update(dict.fromkeys(_CLIENT, "1"))
    found: SparkSession = Client.builder.remote(f"sc://localhost:{port}").getOrCreate()
    # This server does not come back: who waits for it, as Spark does for ten minutes, waits in vain.
    found.client.set_retry_policies([DefaultPolicy(max_retries=RETRIES, max_backoff=5000)])
    return found


def client_at(address: str, settings: Mapping[str, str]) -> SparkSession:
    """A client of the server at ``address`` (sc://host:port), with ``settings`` of its session. What a server takes at
    its start alone is left out, and told. MachineError where no server answers there."""
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    _check_answer(address)
    spark = SparkSession.builder.remote(address).getOrCreate()
    left_out = []
    for key, value in settings.items():
        try:
            spark.conf.set(key, value)
        except PySparkException as error:
            if not (error.getCondition() or "").startswith("CANNOT_MODIFY_"):
                raise ConfigurationError(
                    [Problem("environment", f"spark.{key}", value, "a value that Spark takes", str(error))]
                ) from error
            left_out.append(key)
    if left_out:
        errors().print(
            f"environment.spark: the server at {address} has its own {', '.join(left_out)}, for a server takes such "
            "settings at its start."
        )
    return spark


def _check_answer(address: str) -> None:
    import grpc
    from pyspark.errors import PySparkValueError
    from pyspark.sql.connect.client import DefaultChannelBuilder

    try:
        channel = DefaultChannelBuilder(address).toChannel()
    except PySparkValueError as error:
        expected = "an address such as sc://host:15002"
        raise ConfigurationError([Problem("environment", "remote", address, expected, str(error))]) from error
    try:
        grpc.channel_ready_future(channel).result(timeout=PATIENCE)
    except grpc.FutureTimeoutError as error:
        raise MachineError(
            f"No Spark Connect server answers at {address} (environment.remote). Start one there, or have one started "
            "for the run: --set environment.remote='local[*]'"
        ) from error
    finally:
        channel.close()
