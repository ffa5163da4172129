"""Delta Lake's jars for local Spark: fetched once with the Ivy that Spark ships, then taken from a folder.

Spark's own ``spark.jars.packages`` resolves at every start, which costs seconds, and fetches 90 MB that Spark has.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lakeloop.errors import MachineError

DELTA = "4.4.0"
UNITY_CATALOG = "0.6.0"
MODULES = {
    "io.delta": {
        "delta-spark_4.2_2.13": DELTA,
        "delta-storage": DELTA,
        "delta-kernel-api": DELTA,
        "delta-kernel-defaults": DELTA,
        "delta-kernel-unitycatalog": DELTA,
    },
    "io.unitycatalog": {"unitycatalog-client": UNITY_CATALOG, "unitycatalog-hadoop": UNITY_CATALOG},
}


def cache_folder() -> Path:
    """Where the jars are kept: $LAKELOOP_CACHE, or the user's cache folder."""
    base = os.environ.get("LAKELOOP_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "lakeloop"
    return Path(base).expanduser() / f"delta-{DELTA}"


def expected() -> list[str]:
    """The jars' file names."""
    return [f"{name}-{version}.jar" for modules in MODULES.values() for name, version in modules.items()]


def delta_jars(java: str) -> list[Path]:
    """Paths of Delta's jars, fetched first where they are not there yet.

    MachineError where they cannot be fetched: without a network, behind a mirror that Ivy was not told of.
    """
    folder = cache_folder()
    if not _complete(folder):
        _fetch(java, folder)
    return [folder / name for name in expected()]


def _complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in expected())


def _ivy_file() -> str:
    lines = ['<ivy-module version="2.0"><info organisation="lakeloop" module="jars"/>']
    lines += ['<configurations><conf name="default"/></configurations>', "<dependencies>"]
    for organisation, modules in MODULES.items():
        for name, version in modules.items():
            # Of a Maven module the configuration `master` is its jar alone: no sources, nothing that it depends on.
            lines.append(f'<dependency org="{organisation}" name="{name}" rev="{version}" conf="default->master"/>')
    return "\n".join([*lines, "</dependencies></ivy-module>"])


def _fetch(java: str, folder: Path) -> None:
    """Fetches into a folder beside ``folder`` and renames, so that a fetch that was cut off leaves nothing."""
    import pyspark

    ivy = next(iter(sorted((Path(pyspark.__file__).parent / "jars").glob("ivy-*.jar"))), None)
    if ivy is None:
        raise MachineError("This Spark has no Ivy jar to fetch Delta Lake with; start it with --packages instead.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(
            f"The folder {folder.parent} for Delta Lake's jars cannot be made "
            f"({error.strerror}): set LAKELOOP_CACHE to another."
        ) from error
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        definition = Path(work) / "ivy.xml"
        definition.write_text(_ivy_file(), encoding="utf-8")
        command = [
            java,
            "-cp",
            str(ivy.parent / "*"),
            "org.apache.ivy.Main",
            "-ivy",
            str(definition),
            "-cache",
            f"{work}/cache",
        ]
        command += ["-retrieve", f"{work}/jars/[artifact]-[revision].[ext]", "-warn"]
        settings = os.environ.get("LAKELOOP_IVY_SETTINGS")
        if settings:
            command += ["-settings", settings]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=work)
        missing = [name for name in expected() if not (Path(work) / "jars" / name).is_file()]
        if missing:
            log = folder.parent / "fetch-jars.log"
            log.write_text(done.stdout + done.stderr, encoding="utf-8")
            raise MachineError(
                f"Delta Lake {DELTA} could not be fetched from Maven Central ({missing[0]} is missing). Check the "
                f"network, or set LAKELOOP_IVY_SETTINGS to the Ivy settings of your mirror. Details: {log}"
            )
        if _complete(folder):
            return  # another process was quicker
        shutil.rmtree(folder, ignore_errors=True)
        try:
            (Path(work) / "jars").rename(folder)
        except OSError:
            if not _complete(folder):
                raise
