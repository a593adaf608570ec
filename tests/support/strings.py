"""Texts that will be sent one day: samples of scripts and of every class of awkward character."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from tests.support.stack import Stack, wait_until

__all__ = ["SAMPLES", "assert_stored", "texts_event"]

_CONTROLS = [chr(point) for point in (*range(0x20), *range(0x7F, 0xA0))]
_FORMATS = [chr(point) for point in (
    0xA0, 0xAD, 0x034F, 0x061C, 0x115F, 0x180E, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2028, 0x2029, 0x202A, 0x202B,
    0x202C, 0x202D, 0x202E, 0x2060, 0x2066, 0x2067, 0x2068, 0x2069, 0x206A, 0x2800, 0x3000, 0x3164, 0xFE00, 0xFE0F,
    0xFEFF, 0xFFF9, 0xFFFC, 0xFFFD, 0xE0001, 0xE0041, 0xE0100,
)]  # fmt: skip
_PRIVATE = ["\ue000", "\uf8ff", "\U000f0000", "\U0010fffd"]
_NONCHARACTERS = ["\ufdd0", "\ufdef", "\ufffe", "\uffff", "\U0001fffe", "\U0010ffff"]
_UNASSIGNED = ["\u0378", "\U000e0fff", "\U0003fffd"]
_SCRIPTS = [
    "Grüße, naïve façade", "Ελληνικά", "Кириллица", "Հայերեն", "עברית", "العربية", "ܣܘܪܝܝܐ", "हिन्दी", "বাংলা", "தமிழ்",
    "తెలుగు", "മലയാളം", "ไทย", "ລາວ", "မြန်မာ", "ქართული", "አማርኛ", "ᏣᎳᎩ", "ខ្មែរ", "ᠮᠣᠩᠭᠣᠯ", "日本語", "ひらがなカタカナ",
    "한국어", "中文", "བོད་ཡིག", "Tiếng Việt", "𐤀𐤁𐤂", "𓀀𓂀", "𝔘𝔫𝔦", "ﷺ", "ǅǆ", "ßẞıİ",
]  # fmt: skip
_COMPOSED = [
    "e\u0301", "\u00e9", "Z" + "\u0301\u0316" * 20, "👩‍👩‍👧‍👦", "👟🏽", "🏳️‍🌈", "🇦🇹", "1️⃣",
    "\u202eevil\u202c", "\u2066x\u2069", "\r\n", "\t \v\f",
]  # fmt: skip
_SYNTAX = [
    "'", '"', "\\", "\\n", "\\u0000", "`", "$(x)", "{{x}}", "%00", "%s", "<script>alert(1)</script>", "&amp;", "\\N",
    "NULL", "'; DROP TABLE events.valid_events; --", "/* */", "{}", "[]", "a\tb", "=1+1", "x" * 100,
]  # fmt: skip

SAMPLES = (
    "", " ", *_CONTROLS, *_FORMATS, *_PRIVATE, *_NONCHARACTERS, *_UNASSIGNED, *_SCRIPTS, *_COMPOSED, *_SYNTAX,
)  # fmt: skip
"""Each fits into every text field, also with a letter before and after it."""


def texts_event(site_id: str, source: str, text: str, name: str) -> dict[str, Any]:
    """An event with the text in every field that takes any."""
    around = f"a{text}b"
    url = "https://a.example/" + around.replace("\n", "")  # the one character that a URL may not have
    core = {
        "site_id": site_id,
        "event_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{site_id}/{source}/{name}")),
        "scan_session_id": around,
    }
    struct = {"plain": text, around: [text, {around: around}]}
    if source == "server":
        hidden = {"user_agent": around, "user_identifiers": {"external_id": around}}
        return {**core, "event_name": around, "properties": struct, **hidden}
    device = {"type": around[:32], "user_agent": around, "language": around[:64], "timezone": around[:64]}
    page = {"page_url": url, "page_title": around, "referrer": url}
    return {**core, "event_type": around, **page, "metadata": struct, "device": device}


def assert_stored(stack: Stack, site_id: str, sent: Mapping[str, Mapping[str, Any]]) -> None:
    """The rows of the site are these events, by event_id: every text as it was sent, metadata as JSON values."""
    sql = f"SELECT * FROM events.valid_events WHERE site_id = '{site_id}'"
    rows = wait_until(lambda: found if len(found := stack.query(sql)) >= len(sent) else [])
    assert len(rows) == len(sent)
    for row in rows:
        event = sent[row["event_id"]]
        for field, value in event.items():
            if field in {"metadata", "properties"}:
                assert json.loads(row["metadata"]) == value
            elif field in row:
                assert row[field] == value, field
