"""What went wrong while files were read is told with the file and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakeloop import bronze, places
from lakeloop.config import load
from lakeloop.config.sources import Source
from lakeloop.errors import DataError, MachineError

from .conftest import Folder

SOURCE = Source(path="orders/*.csv")
LANDED = "/lake/landing/orders/*.csv"
FILE = "file:/lake/landing/orders/b.csv"


@pytest.mark.parametrize(
    "text",
    [
        f"[PATH_NOT_FOUND] Path does not exist: {FILE}. SQLSTATE: 42K03",
        f"[FAILED_READ_FILE.FILE_NOT_EXIST] Encountered error while reading file {FILE}. File does not exist. It is",
        f"java.io.FileNotFoundException: File {FILE} does not exist",
    ],
)
def test_a_file_that_went_away_is_named(text: str) -> None:
    found = bronze._reading_error("orders", SOURCE, LANDED, RuntimeError(text))
    assert type(found) is DataError
    assert "sources.orders: the file /lake/landing/orders/b.csv was removed while it was read." in str(found)


def test_a_place_without_files_is_not_taken_for_a_file() -> None:
    text = f"[PATH_NOT_FOUND] Path does not exist: file:{LANDED}. SQLSTATE: 42K03"
    assert f"there is nothing at {LANDED}" in str(bronze._reading_error("orders", SOURCE, LANDED, RuntimeError(text)))


def test_a_full_disk_is_a_fault_of_the_machine() -> None:
    text = "StreamingQueryException: Job aborted\nCaused by: java.io.IOException: No space left on device"
    found = bronze._reading_error("orders", SOURCE, LANDED, RuntimeError(text))
    assert type(found) is MachineError
    assert "bronze.orders: the disk is full" in str(found)


def test_of_two_runs_one_is_told_to_run_again() -> None:
    text = "[DELTA_CONCURRENT_TRANSACTION] ConcurrentTransactionException: This error occurs when"
    found = bronze._reading_error("orders", SOURCE, LANDED, RuntimeError(text))
    assert "bronze.orders: another run took the same files at the same time." in str(found)


def test_a_landing_folder_that_is_not_there_is_named(conf: Folder) -> None:
    settings = load(conf.pipeline(), sets=("environment.master=local[1]",))
    with pytest.raises(DataError, match=r"sources\.orders\.path: the folder .*/landing/orders is not there"):
        places.check_folder(settings, "orders")


def test_a_table_without_the_notes_of_what_is_in_it_is_refused(conf: Folder) -> None:
    """The stream would begin to count its batches anew, and Delta leaves out those it has: new files among them."""
    settings = conf.settings()
    with pytest.raises(DataError) as caught:
        places.check_checkpoint(settings, "orders")
    assert "bronze.orders is there, but not the notes of which files are in it" in str(caught.value)
    Path(places.checkpoint(settings, "orders")).mkdir(parents=True)
    places.check_checkpoint(settings, "orders")
    places.forget(settings, "orders")
    assert not Path(places.checkpoint(settings, "orders")).exists()
