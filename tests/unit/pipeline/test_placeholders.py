"""A placeholder names no one and joins no one; what a site may call a user is a name."""

from hashlib import sha256

import pytest

from qrumb_server.pipeline.placeholders import is_placeholder, is_placeholder_hash


@pytest.mark.parametrize(
    "text",
    [
        *("undefined", "null", "NULL", "None", " nil ", "NaN", "N/A", "(not set)", "[object Object]", "Anonymous"),
        *("{{user_id}}", "{{ user.id }}", "${userId}", "<%= id %>", "%USER_ID%", "{user_id}", "__user_id__", "%s"),
        *("0", "0000000000", "xxxx", "-", "--", "???", " ", "00000000-0000-0000-0000-000000000000"),
    ],
)
def test_words_templates_and_fillers_name_no_one(text: str) -> None:
    """Nor do their hashes, as a client makes them: trimmed and lowered, or as they are."""
    assert is_placeholder(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann",
        "acct-0",
        "1",
        "11",
        "007",
        "test",
        "customer",
        "nullmeyer",
        "user_1",
        "x",
        "ünï",
        "👟👟",
        "{ann",
        "scan/1",
    ],
)
def test_names_are_names(text: str) -> None:
    """However odd; and no identifier is none."""
    assert not is_placeholder(text)


@pytest.mark.parametrize(
    "text", [" ", "undefined", "UNDEFINED", "null", "None", "NaN", "{{email}}", "0", "000000", "+"]
)
def test_hashes_of_what_names_no_one(text: str) -> None:
    """So that no client has to know the list."""
    assert is_placeholder_hash(sha256(text.encode()).hexdigest())


def test_a_hash_is_a_name() -> None:
    """Any other one, but for zeros."""
    assert not is_placeholder_hash(sha256(b"jane@gmail.com").hexdigest())
    assert is_placeholder_hash("0" * 64)
