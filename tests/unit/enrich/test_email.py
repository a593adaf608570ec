"""Raw e-mail addresses: which texts hold one, and what is left of a text without them."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qrumb_server.enrich.email import MARK, contains_email, redact_emails, redacted_beginning
from qrumb_server.enrich.email_signs import may_contain_email

_CORPUS = Path(__file__).parents[2] / "golden" / "emails.tsv"


def _rows() -> Iterator[object]:
    for number, line in enumerate(_CORPUS.read_text(encoding="utf-8").splitlines()[1:], 2):
        expected, category, text = line.split("\t")
        yield pytest.param(expected == "1", json.loads(text), id=f"line{number}-{category}")


CORPUS = list(_rows())


@pytest.mark.parametrize(("expected", "text"), CORPUS)
def test_the_verdict_is_that_of_the_corpus(expected: bool, text: str) -> None:
    assert contains_email(text) is expected


@pytest.mark.parametrize(("expected", "text"), CORPUS)
def test_the_verdict_is_the_same_inside_other_text(expected: bool, text: str) -> None:
    assert contains_email(f"before\n{text}\nafter") is expected
    assert contains_email(f"before {text} after") is expected


@pytest.mark.parametrize(("expected", "text"), CORPUS)
def test_redaction_leaves_no_address_and_clean_text_as_it_is(expected: bool, text: str) -> None:
    redacted = redact_emails(text)
    assert not contains_email(redacted)
    assert (MARK in redacted) is (expected or MARK in text)
    if not expected:
        assert redacted == text


def test_the_corpus_is_wide() -> None:
    verdicts = [line[0] for line in _CORPUS.read_text(encoding="utf-8").splitlines()[1:]]
    assert verdicts.count("1") >= 120
    assert verdicts.count("0") >= 120


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Write to ana@posteo.de, or tom@fastmail.com!", f"Write to {MARK}, or {MARK}!"),
        ("https://shop.example/?a=1&e=ana%40posteo.de&b=2#x", f"https://shop.example/?a=1&e={MARK}&b=2#x"),
        ("next=%2Fu%3Fe%3Dana%2540posteo.de%26x", f"next=%2Fu%3Fe%3D{MARK}%26x"),
        ("&lt;ana&#64;posteo.de&gt;", f"&lt;{MARK}&gt;"),
        (r'{"a":"\"ana\u0040posteo.de\"","b":1}', rf'{{"a":"\"{MARK}\"","b":1}}'),
        ("メール：ａｎａ＠ｐｏｓｔｅｏ．ｄｅ。", f"メール：{MARK}。"),
        ("x ana\u200b@post\u00adeo.de y", f"x {MARK} y"),
        ("%C3%A4 ana@posteo.de %C3%B6", f"%C3%A4 {MARK} %C3%B6"),
        ("jo\u0308rg@bu\u0308cher.de ü", f"{MARK} ü"),
        ("https://ana@posteo.de:pw@host.example.com/", f"https://{MARK}:pw@host.example.com/"),
        ('{"metadata":{"ana@posteo.de":[1,"tom@fastmail.com"]}}', f'{{"metadata":{{"{MARK}":[1,"{MARK}"]}}}}'),
    ],
)
def test_redaction_takes_the_address_and_nothing_around_it(text: str, redacted: str) -> None:
    assert redact_emails(text) == redacted


def test_redaction_takes_a_long_local_part_whole() -> None:
    assert redact_emails(f"x {'a1.' * 2000}b@posteo.de y") == f"x {MARK} y"


def test_one_escape_shared_by_two_addresses_is_redacted_once() -> None:
    text = "ana@posteo.de%C3%A9%C3%A9@fastmail.com tom"
    redacted = redact_emails(text)
    assert not contains_email(redacted)
    assert redacted.endswith(" tom")


def test_text_that_decodes_into_many_layers_is_still_redacted() -> None:
    text = "ana%26%2364%3Bposteo.de %255Cu0040 &#38;#37;40"
    assert contains_email(text)
    assert not contains_email(redact_emails(text))


def test_lone_surrogates_and_every_kind_of_character_are_bearable() -> None:
    text = "ana@posteo.de \ud83d" + "".join(map(chr, range(0, 0x3000, 7)))
    assert contains_email(text)
    assert not contains_email(redact_emails(text))


@pytest.mark.parametrize("text", ["", "plain", "50% & more \\n", "https://a.example/?q=%20%C3%A4&b=c", "日本語。"])
def test_text_without_a_sign_of_an_at_is_not_looked_at(text: str) -> None:
    assert not may_contain_email(text)


# Pieces that are read again and again by a careless detector: long runs, nested escapes, near misses.
_HOSTILE = [
    "@", "a@", "a@b.zz ", "a@b.c", "a@" + "a." * 126, "x***a@b.co ", "git@b.co:x ", "v@1.2.co ", "//a:b@b.co/ ",
    "%41", "%2540", "&#65;", "&#38;#65;", "&amp;", "\\", "\\n", "\\u0041", "a\u200b", "＠", "a@\u0301", "\u0301\u0316",
    "\ufdfa", "㌀", "a@b.c\u200bq\u200b ", "_", "a.", "-", "a。", "://", "a://a:a@a ", "a@b-c.d-e.f_g ", "//a:a@",
    "%25", '"a', "a@2x.ai ", "a@x.\0c\0o\0",
]  # fmt: skip


def _calls(text: str) -> int:
    """How many calls, of Python or C functions, one verdict takes."""
    count = 0

    def count_calls(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(count_calls)
    try:
        contains_email(text)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("piece", _HOSTILE, ids=ascii)
def test_work_grows_no_faster_than_hostile_text(piece: str) -> None:
    contains_email("a@b.co")  # builds the table of top-level domains
    count = 2_000 // len(piece)
    short, long = "@" + piece * count, "@" + piece * (4 * count)
    assert _calls(long) <= 4 * _calls(short) + 100


@pytest.mark.parametrize("address", ["cut.person@gmail.com", "cut.person%2540gmail.com"])
def test_a_cut_leaves_no_beginning_of_an_address(address: str) -> None:
    """Wherever it falls; what is far from it is kept."""
    for limit in range(5_000, 5_000 + len(address) + 2):
        kept = redacted_beginning("x " * 2_500 + address + " y" * 2_000, limit)
        assert "cut.p" not in kept
        assert len(kept) >= 2_500
    assert redacted_beginning("z" * 40 + f" {address}", 52) == ""
    assert redacted_beginning(address, 500) == MARK


@pytest.mark.parametrize("number", [15, 16, 17, 18, 60])
def test_the_address_at_which_a_text_ends_goes_whole(number: int) -> None:
    """What follows the sixteenth is cut, and nothing of the seventeenth stays."""
    sent = ", ".join(f'"zane.roe+{index}@mail.example.com"' for index in range(number))
    assert "zane" not in redact_emails(sent)
    assert "zane" not in redacted_beginning(sent, 65_536)
