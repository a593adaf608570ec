"""A fact that several parts rely on is written down once; the others import it."""

import re
from collections.abc import Iterable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from qrumb.v1.event_row_pb2 import EventRow
from qrumb_server.config import ClickHouseSettings, RpcSettings, SpoolSettings
from qrumb_server.config.sites import SiteSettings
from qrumb_server.config.watch import WatchRuleSettings
from qrumb_server.loader.rows import event_batch
from qrumb_server.model import SITE_ID_PATTERN, SitePolicy, WatchRule
from qrumb_server.pipeline.erasure import BLANKED, ERASED
from qrumb_server.rpc.opening import CallLimits
from qrumb_server.spool.quota import SpoolLimits
from qrumb_server.store.connection import ServerOptions
from qrumb_server.store.schema.files import load_migrations, table_columns

ROOT = Path(__file__).resolve().parent.parent.parent
SERVER = ROOT / "server" / "qrumb_server"
MODULES = sorted(path for path in SERVER.rglob("*.py") if "wire" not in path.relative_to(SERVER).parts)


def files_with(text: str, paths: Iterable[Path]) -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in paths if text in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("fact", "text", "place"),
    [
        ("the form of a UUID", "[0-9a-f]{8}", "model.py"),
        ("the form of a site's id", "[A-Za-z0-9_-]{1,64}", "model.py"),
        ("the first instant of DateTime64", "2_208_988_800_000", "instants.py"),
        ("the last instant of DateTime64", "10_413_791_999_999", "instants.py"),
        ("how long the tables keep rows", "400 * 86_400_000", "model.py"),
    ],
    ids=lambda value: str(value).replace(" ", "-"),
)
def test_a_fact_stands_in_one_module(fact: str, text: str, place: str) -> None:
    # The name of a segment is a UUID of version 7, which is a form of its own.
    others = [path for path in MODULES if path != SERVER / "spool/format.py"]
    assert files_with(text, others) == [f"server/qrumb_server/{place}"], fact


def test_the_contract_has_one_form_of_a_site_id_and_it_is_the_models() -> None:
    """proto3 cannot share a pattern, so each message states it."""
    found = set()
    for path in sorted((ROOT / "proto").rglob("*.proto")):
        for field in re.findall(r"string site_id = \d+ \[(.*?)\];", path.read_text(encoding="utf-8"), re.DOTALL):
            found |= set(re.findall(r'string\.pattern = "(.*?)"', field))
    assert found == {f"^{SITE_ID_PATTERN}$"}


def test_a_column_of_events_is_a_field_of_the_contract_or_one_of_the_loaders_own() -> None:
    """So a new column is a field, a line of a schema file, what fills it, and a page that explains it."""
    table = table_columns(load_migrations())["events.valid_events"]
    assert set(event_batch([]).columns) == set(table)
    own = set(table) - set(EventRow.DESCRIPTOR.fields_by_name)
    assert own == {"client_event_time_text", "identified_user_id", "ip_key", "segment_id", "segment_row"}


def test_what_erasure_leaves_is_said_by_the_contract() -> None:
    """Kept are counts: what happened when, where, on which kind of device, and what it was worth."""
    fields = set(EventRow.DESCRIPTOR.fields_by_name)
    assert set(BLANKED) <= fields
    assert {"user_id", "page_url", "referrer", "metadata", "city"} <= set(BLANKED)
    assert {"event_id", "qr_code_id", "conversion_value", "is_duplicate", "country_code"} <= fields - set(BLANKED)
    assert BLANKED["user_id_source"] == ERASED == "erased"


def test_a_site_without_settings_is_judged_by_the_defaults_of_the_pipeline() -> None:
    assert SiteSettings().policy() == SitePolicy()


@pytest.mark.parametrize(
    ("inner", "settings"),
    [
        (ServerOptions, ClickHouseSettings),
        (SpoolLimits, SpoolSettings),
        (CallLimits, RpcSettings),
        (WatchRule, WatchRuleSettings),
    ],
    ids=lambda part: part.__name__,
)
def test_what_is_a_setting_has_its_default_there_alone(inner: type[Any], settings: type[BaseModel]) -> None:
    """0.0 is what a rule of the watch has where its kind needs no such limit."""
    own = {field.name for field in fields(inner) if field.default not in (MISSING, 0.0, ())}
    assert own & set(settings.model_fields) == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SERVER)))
def test_a_module_is_short_enough_to_be_read(path: Path) -> None:
    """At most 400 lines; most have a hundred. A longer one holds two thoughts."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
