"""Promises of the e-mail detector for every text."""

from collections.abc import Callable
from urllib.parse import quote

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from qrumb_server.enrich.email import MARK, contains_email, redact_emails
from qrumb_server.enrich.email_signs import may_contain_email

# Whatever has a meaning to the detector, glued together at random: far more often an address, or nearly one, than
# random characters are.
_PIECES = [
    "@", "@", "@", ".", ".", "a", "b1", "co", "com", "de", "example.org", "@b.co", "a@b.co", "%40", "%2540",
    "%25", "%2E", "%C3%A9", "%", "40", "&#64;", "&#x40", "&amp;", "&commat;", "&", "#", ";", "\\", "\\u0040",
    "\\n", "\\x2e", "u0040", "＠", "．", "。", "ａ", "é", "e\u0301", "日本", "рф", "\u200b", "\u00ad", "\u0301", "\0",
    "\ufdfa", "㌀", " ", "\n", "\t", "//", "https://", "mailto:", ":", "/", "?", "=", "git", ":x.git", "*", "**",
    "-", "_", "+", "'", '"', "<", ">", "(", ")", "[", "]", ",", "1", "2x", "png", "csv", "zip", "am", "local",
    "xn--p1ai", "…", MARK,
]  # fmt: skip
texts = st.lists(st.sampled_from(_PIECES), max_size=14).map("".join) | st.text(max_size=60)

_word = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)
_letters = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8)
addresses = st.builds(
    lambda local, host, tld: f"{'.'.join(local)}@{host}.{tld}",
    st.lists(_word, min_size=1, max_size=3),
    _letters,
    st.sampled_from(["com", "org", "de", "co.uk", "photography", "museum", "xn--p1ai", "рф", "한국"]),
)


def _percent(text: str) -> str:
    return quote(text, safe="")


def _percent_all(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


def _html(text: str) -> str:
    return "".join(c if c.isalnum() else f"&#{ord(c)};" for c in text)


def _html_hex(text: str) -> str:
    return "".join(f"&#x{ord(c):X};" for c in text)


def _backslash(text: str) -> str:
    return "".join(c if c.isalnum() else f"\\u{ord(c):04x}" for c in text)


def _full_width(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def _invisible(text: str) -> str:
    return "\u200b".join(text)


# Only letters can be full-width or have something invisible between them, an escape cannot.
_spellings = st.sampled_from([str, _full_width, _invisible])
_encodings = st.sampled_from([_percent, _percent_all, _html, _html_hex, _backslash])
_around = st.sampled_from(
    [("", ""), (" ", " "), ("(", ")"), ("<", ">"), ("q=", "&x=1"), ('"', '"'), ("日本語：", "。"), ("\n", "\n")]
)


@given(addresses, _spellings, st.lists(_encodings, max_size=2), _around)
def test_an_address_is_found_and_redacted_in_any_disguise(
    address: str, spelling: Callable[[str], str], encodings: list[Callable[[str], str]], around: tuple[str, str]
) -> None:
    written = spelling(address)
    for encode in encodings:
        written = encode(written)
    text = written.join(around)
    assert contains_email(text)
    redacted = redact_emails(text)
    assert not contains_email(redacted)
    assert written not in redacted


@given(addresses, st.integers(1, 12))
def test_an_address_is_found_however_often_it_is_percent_encoded(address: str, times: int) -> None:
    for _ in range(times):
        address = _percent(address)
    assert contains_email(f"https://shop.example/?next={address}")


@given(texts)
@example("https://a@b.co:@b.co")
@example("a@b.co%C3%A9@b.co")
def test_redaction_leaves_nothing_to_find(text: str) -> None:
    assert not contains_email(redact_emails(text))


@given(texts)
def test_text_without_an_address_is_left_alone(text: str) -> None:
    if not contains_email(text):
        assert redact_emails(text) == text


@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
def test_no_character_is_too_much(before: str, after: str) -> None:
    text = f"{before}@{after}"
    contains_email(text)
    assert not contains_email(redact_emails(text))
    assert contains_email(f"{before}\nana@posteo.de\n{after}")


@given(texts)
def test_the_cheap_test_misses_nothing_in_the_json_form_of_a_text(text: str) -> None:
    if contains_email(text):
        assert may_contain_email(text)
        assert may_contain_email(orjson.dumps([text]).decode())


@given(st.lists(texts, max_size=4), texts)
def test_redacted_json_has_no_address_in_any_value(values: list[str], key: str) -> None:
    kept = redact_emails(orjson.dumps({key: values, "k": key}).decode())
    try:
        read = orjson.loads(kept)
    except orjson.JSONDecodeError:
        # A quoted local part can take a quote of the JSON with it: '["(x\\"@example.com"]'.
        assert '"@' in "".join([key, *values])
        return
    for kept_key, kept_value in read.items():
        assert not contains_email(kept_key)
        assert not any(map(contains_email, kept_value))
