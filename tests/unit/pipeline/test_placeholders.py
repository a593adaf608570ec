"""A placeholder names no one and joins no one; what a site may call a user is a name."""

from hashlib import md5, sha1, sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrumb_server.pipeline.placeholders import HASH_OF_NOTHING, is_placeholder, is_placeholder_hash


def wide(text: str) -> str:
    """As a keyboard for Japanese writes it."""
    return "".join(chr(ord(char) - 0x20 + 0xFF00) if char != " " else "\u3000" for char in text)


UNDEFINED = sha256(b"undefined").hexdigest()
NO_ONE = [
    *("undefined", "null", "NULL", "None", " nil ", "NaN", "N/A", "(not set)", "[object Object]", "Anonymous", "n.a."),
    *("NOT_SET", "not-set", "notset", "user id", "UserId", "empty", "(not provided)", "(direct)", "NaT", "Inf", "-1"),
    *("undefined\u200b", "\u200b", "\ufeff", "\u00ad", "\0", "null\0", "\u2028", "\u3164", "\ufffd\ufffd"),
    *("\u00a0null", "NULL\n", "[object  Object]", "[object Window]", "not\tset"),
    *(wide("undefined"), wide("NULL"), wide("0"), wide("(not set)")),
    *("'undefined'", '"null"', "`null`", "“null”", '\\"null\\"', "undefined.", "+undefined", "<undefined>", "#N/A"),
    *("undefined,undefined", "None,None", "None, 0,", "['undefined']", '["null","null"]', '{"id":null}', "0|0"),
    *("undefined undefined", "null-null", "nullnull", "user_undefined", "id=null", "scan_session_none", "user:nan"),
    *("%20", "undefined%20", "%7B%7Buser_id%7D%7D", "&nbsp;", "&quot;null&quot;"),
    *("{{user_id}}", "{{ user.id }}", "${userId}", "<%= id %>", "%USER_ID%", "{user_id}", "__user_id__", "%s", "{0}"),
    *("*|EMAIL|*", "%%user_id%%", "[[user_id]]", "#{user_id}", "$user_id", "<?= $id ?>", "%!s(<nil>)", "$user->id"),
    *("%1$s", "%(user_id)s", "$1", "$email", "[email]", '"{{user_id}}"', "<!-- id -->", "@@user@@"),
    *("#REF!", "#VALUE!", "undef", "nullptr", "Optional(nil)", "\\u0000", "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx"),
    *("0", "0000000000", "xxxx", "-", "--", "???", " ", "—", "…", "[]", "()", "''", "-0", "0.0", "0x0", "\\N"),
    *("00000000-0000-0000-0000-000000000000", "urn:uuid:00000000-0000-0000-0000-000000000000", "f" * 32, "0" * 64),
    *("URN:UUID:ffffffff-ffff-ffff-ffff-ffffffffffff", UNDEFINED.upper()),
    *(HASH_OF_NOTHING, md5(b"").hexdigest(), sha1(b"").hexdigest()),
]
NAMES = [
    *("ann", "acct-0", "1", "11", "007", "10", "0a", "test", "customer", "nullmeyer", "user_1", "x", "xx1", "id"),
    *("ünï", "👟👟", "🦄", "张伟", "हिन्दी", "{ann", "scan/1", "O'Brien", "O’Neil", "x-ray", "a.b", "J.", "a:b.c-1"),
    *("null-pointer", "true-north", "nan-goldin", "Nannan", "Nil Patel", "none-such", "user_nullmeyer", "guest-7"),
    *("aGVsbG8=", "dGVzdA==", "auth0|507f1f77bcf86cd799439020", "arn:aws:iam::123:user/ann", "a,b", "1,0", "a%20b"),
    *("100%", "50%off", "#42", "@jane", "(jane1)", "_jane_", "$RCAnonymousID:87c6049c58069238dce29853916d624c"),
    *(
        "550e8400-e29b-41d4-a716-446655440000",
        "{550e8400-e29b-41d4-a716-446655440000}",
        "ab" * 32,
        "a" * 64,
        "+436601234567",
    ),
    "11111111-1111-1111-1111-111111111111",
]
HASHED = [
    *(" ", "undefined", "UNDEFINED", "null", "None", "NaN", "{{email}}", "0", "000000", "+", "undefined ", "none "),
    *(" undefined", "NULL\n", "\u00a0", "\u200b", "undefined\u200b", "0" * 64, "x" * 64, "1" * 10, "+" + "0" * 11),
    *("{}", "%s", "1" * 64),
    *("__USER_ID__", "{{ email }}", "{{user_email}}", "{{customer.email}}", "${userEmail}", "%user_id%", "<undefined>"),
    *("+undefined", "+null", "undefined undefined", "None,None", "(not set)", "[object Window]", "*|EMAIL|*", '"null"'),
]


@pytest.mark.parametrize("text", NO_ONE)
def test_words_templates_and_fillers_name_no_one(text: str) -> None:
    """However they are written."""
    assert is_placeholder(text)


@pytest.mark.parametrize("text", ["", *NAMES])
def test_names_are_names(text: str) -> None:
    """However odd; and no identifier is none."""
    assert not is_placeholder(text)


@given(st.lists(st.sampled_from([*"-_.:@+=/|~ ,01xf", "null", "NONE", "user", "id", "ann", "true"]), min_size=1))
def test_what_does_not_count_changes_nothing(parts: list[str]) -> None:
    """White space and quotes around a text: what is compared as it is, and what is folded first, agree."""
    text = "".join(parts)
    assert is_placeholder(text) == is_placeholder(f' "{text}" ')


@pytest.mark.parametrize("text", HASHED)
def test_hashes_of_what_names_no_one(text: str) -> None:
    """So that no client has to know the list. Nor does the hash of such a hash name anyone."""
    hash_hex = sha256(text.encode()).hexdigest()
    assert is_placeholder_hash(hash_hex)
    assert is_placeholder_hash(sha256(hash_hex.encode()).hexdigest())


def test_a_hash_is_a_name() -> None:
    """Any other one, but for zeros."""
    for name in ["jane", *NAMES]:
        assert not is_placeholder_hash(sha256(f"{name}@gmail.com".encode()).hexdigest()), name
    assert not is_placeholder_hash("")
    assert [digit for digit in "0123456789abcdef" if is_placeholder_hash(digit * 64)] == ["0"]
