"""docs/analysts.md: its questions have the answers that it shows, and its table has the columns that there are."""

import json
import re
from pathlib import Path

import pytest

from qrumb_server.store.embedded import EmbeddedStore
from tests.support.history import insert_rows, link, sale, scan, visit

pytestmark = pytest.mark.chdb

PAGE = Path(__file__).resolve().parents[3] / "docs" / "analysts.md"
# A question, and the table of its answer.
QUESTION = re.compile(r"\*\*\d+\. [^\n]*\*\*\n\n```sql\n(.*?)```\n\n((?:\|[^\n]*\n)+)", re.DOTALL)
SPRING = '{"utm_campaign":"spring"}'


@pytest.fixture
def example(store: EmbeddedStore) -> EmbeddedStore:
    """The page's example. The events of session-4 were stored before its scan was registered."""
    insert_rows(
        store,
        "events.scan_sessions",
        [
            scan("session-1", "poster-7", "03-28 10:00"),
            scan("session-2", "poster-7", "03-28 11:00"),
            scan("session-3", "poster-7", "03-29 09:00"),
            scan("session-4", "flyer-2", "03-28 12:00"),
            scan("session-5", "flyer-2", "03-29 22:45"),
        ],
    )
    insert_rows(
        store,
        "events.identity_links",
        [
            link("scan_session", "session-1", "ann", "03-28 10:20"),
            link("scan_session", "session-3", "ann", "03-29 09:30"),
        ],
    )
    home, shoes = "https://shop.example/", "https://shop.example/shoes"
    insert_rows(
        store,
        "events.valid_events",
        [
            visit("03-28 10:01", "session-1", "poster-7", page_url=home, device_type="mobile", metadata=SPRING),
            visit("03-28 10:05", "session-1", "poster-7", page_url=shoes, device_type="mobile"),
            sale("03-28 10:20", "session-1", "poster-7", value="49.90", user="ann"),
            sale("03-28 10:20", "session-1", "poster-7", value="49.90", user="ann", is_duplicate=1),
            visit("03-28 11:01", "session-2", "poster-7", page_url=home, is_fraud=1, fraud_reasons=["bot"]),
            visit("03-28 12:01", "session-4", page_url=shoes, device_type="mobile", metadata=SPRING),
            sale("03-28 12:11", "session-4", name="lead"),
            visit("03-29 09:02", "session-3", "poster-7", page_url=home, device_type="desktop"),
            sale("03-29 09:30", "session-3", "poster-7", value="20.00", user="ann"),
            sale("03-29 18:00", "session-3", "poster-7", name="refund", value="-20.00", user="ann"),
            visit("03-29 22:50", "session-5", "flyer-2", page_url=shoes, device_type="mobile", metadata=SPRING),
        ],
    )
    return store


def test_the_questions_have_the_answers_of_the_page(example: EmbeddedStore) -> None:
    questions = QUESTION.findall(PAGE.read_text(encoding="utf-8"))
    assert len(questions) == 10
    for sql, shown in questions:
        assert table_of(example, sql) == shown, sql


def table_of(store: EmbeddedStore, sql: str) -> str:
    """An answer as the page shows it."""
    rows = [json.loads(line) for line in b"".join(store.export(sql, "JSONEachRow")).splitlines()]
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(map(str, row.values())) for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def test_the_page_has_all_columns(store: EmbeddedStore) -> None:
    there = {
        row["name"]
        for row in store.query(
            "SELECT name FROM system.columns WHERE database = 'events' AND table = 'attributed_events'"
        )
    }
    section = PAGE.read_text(encoding="utf-8").split("## Columns", 1)[1].split("\n## ", 1)[0]
    named = [name.strip() for cell in re.findall(r"(?m)^\| ([a-z_, ]+) \|", section) for name in cell.split(",")]
    assert set(named) - {"column"} == there
