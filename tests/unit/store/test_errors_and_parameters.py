"""Error numbers, statement parameters and the folder's lock, without an engine."""

import fcntl
import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from qrumb_server.errors import (
    BadRowsError,
    ConfigError,
    OutcomeUnknownError,
    StoreError,
    StoreRefusedError,
    StoreUnavailableError,
)
from qrumb_server.store.errors import error_code, insert_error, query_error
from qrumb_server.store.folder import prepare_folder, wait_for_lock
from qrumb_server.store.values import render_parameters


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Code: 243. DB::Exception: Cannot reserve 1.00 MiB", 243),
        ("Streaming query failed: Code: 395. DB::Exception: Code: 1.", 395),
        ("Session is closed", 0),
        ("errorCode: 12", 0),
    ],
)
def test_the_first_number_in_the_text_is_the_code(text: str, code: int) -> None:
    assert error_code(text) == code


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (202, "", StoreUnavailableError),
        (252, "Too many parts (3000) in table", StoreUnavailableError),
        (252, "Too many partitions for single INSERT block", BadRowsError),
        (60, "", StoreRefusedError),
        (164, "", StoreRefusedError),
        (516, "", StoreRefusedError),
        (69, "", BadRowsError),
        (691, "", BadRowsError),
        # In the middle of an insert over several partitions, some may be there already.
        (241, "", OutcomeUnknownError),
        (243, "", OutcomeUnknownError),
        (242, "", OutcomeUnknownError),
        (209, "", OutcomeUnknownError),
        (319, "", OutcomeUnknownError),
        (999, "", OutcomeUnknownError),
        # Never heard of, or no number at all: sending again with insert_missing is right in any case.
        (65_000, "", OutcomeUnknownError),
        (0, "", OutcomeUnknownError),
    ],
)
def test_an_insert_error_says_what_may_have_been_written(code: int, text: str, kind: type[StoreError]) -> None:
    error = insert_error(code, text)
    assert type(error) is kind
    assert error.code == code


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (159, StoreUnavailableError),
        (241, StoreUnavailableError),
        (0, StoreUnavailableError),
        # "Attempt to read after eof": a host of a cluster, asked by the one that we asked, was killed.
        (32, StoreUnavailableError),
        (62, StoreRefusedError),
    ],
)
def test_a_query_error_says_whether_to_try_again(code: int, kind: type[StoreError]) -> None:
    assert type(query_error(code, "text")) is kind


def test_an_errors_text_is_bounded() -> None:
    assert len(str(insert_error(1, "x" * 100_000))) < 1_000


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("String", "a\\b\tc\nd\0e'f", "a\\\\b\\tc\\nd\\0e\\'f"),
        ("String", "\\N", "\\\\N"),
        ("Nullable(String)", None, "\\N"),
        ("Array(String)", ["a'b", "\\"], "['a\\'b','\\\\']"),
        ("Array(Nullable(UInt8))", [1, None], "[1,NULL]"),
        ("Array(Tuple(String, UUID))", [("a", UUID(int=1))], "[('a','00000000-0000-0000-0000-000000000001')]"),
        ("UUID", UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("Decimal(18, 4)", Decimal("1E+3"), "1000"),
        ("Bool", False, "false"),
        ("DateTime64(3, 'UTC')", 1_700_000_000_123, "2023-11-14 22:13:20.123"),
    ],
)
def test_a_parameter_is_written_as_the_engine_parses_it(kind: str, value: Any, text: str) -> None:
    assert render_parameters(f"SELECT {{x:{kind}}}", {"x": value}) == {"x": text}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("UInt8", 256),
        ("UInt8", -1),
        ("Int8", 128),
        ("Array(UInt32)", [1, 2**32]),
        ("Array(Tuple(String, UInt16))", [("a", 65_536)]),
        ("UInt8", b"1"),
        ("Array(String)", [object()]),
    ],
)
def test_a_value_that_does_not_fit_its_placeholder_is_refused(kind: str, value: Any) -> None:
    with pytest.raises(StoreRefusedError, match="parameter x"):
        render_parameters(f"SELECT {{x:{kind}}}", {"x": value})


@pytest.mark.parametrize(
    "texts",
    [["a"], ["", ""], ["a", "b'c", "\\", "\t\n\0"], ["a\x01b", "c"], ["\x01"], ["\x01", "'", "\x01\x01"], ["é", "','"]],
    ids=ascii,
)
def test_a_list_of_texts_is_written_as_each_of_them_is(texts: list[str]) -> None:
    """They are escaped together, whatever they hold."""
    [alone] = {render_parameters("{a:Array(Tuple(String))}", {"a": [(text,) for text in texts]})["a"]}
    assert render_parameters("{a:Array(String)}", {"a": texts})["a"] == alone.replace("(", "").replace(")", "")


def test_placeholders_and_parameters_must_be_the_same() -> None:
    with pytest.raises(StoreRefusedError, match="a, b"):
        render_parameters("SELECT {a:String}, {c:String}", {"b": 1, "c": ""})
    assert render_parameters("SELECT '{not one}' AS {name:Identifier}", {"name": "x"}) == {"name": "x"}


def test_a_held_lock_is_named_and_a_free_or_missing_one_is_not_waited_for(tmp_path: Path) -> None:
    none = timedelta(0)
    wait_for_lock(tmp_path, none)
    status = tmp_path / "status"
    status.write_text(f"PID: {os.getpid()}\nStarted at: now\n")
    wait_for_lock(tmp_path, none)
    with status.open() as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match=f"in use by process {os.getpid()};"):
            wait_for_lock(tmp_path, none)
    wait_for_lock(tmp_path, none)


def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    made = prepare_folder(tmp_path / "a" / "b")
    assert made.stat().st_mode & 0o777 == 0o700
