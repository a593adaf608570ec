"""Texts that stand where an identifier should be and name no one: `undefined`, `{{user_id}}`, the hash of either.

Tag managers, templates and languages write them where they have no value. Taken for identifiers they would join
strangers: everyone whose id was missing would be one user. Before a text is compared it is folded: width, case,
invisible characters, white space, quotes and the marks around it do not count. An identifier itself is never changed.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from html import unescape
from itertools import product
from typing import Final
from urllib.parse import unquote

from qrumb_server.model import UUID_PATTERN

__all__ = [
    "FILLER_PATTERN",
    "HASH_OF_NOTHING",
    "MAX_IDENTIFIER",
    "PLAIN_PATTERN",
    "WORDS",
    "is_placeholder",
    "is_placeholder_hash",
    "placeholder_hashes",
]

MAX_IDENTIFIER: Final = 256
"""Characters. A longer text is refused for its length, whatever it says."""
HASH_OF_NOTHING: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
# All that folding could change in such a text is its case.
PLAIN_PATTERN: Final = r"[A-Za-z0-9](?:[-A-Za-z0-9_.:@+=/|~]*[A-Za-z0-9])?"

# Nothing that a site may well call a user or a session: `test`, `customer` and `11` are names.
_SINGLE_WORDS: Final = (
    *("undefined", "null", "nil", "none", "nan", "nat", "n/a", "n.a", "inf", "infinity", "-1", "#n/a", "true", "false"),
    *("unknown", "unset", "missing", "empty", "anonymous", "anon", "guest", "nobody", "object", "optional.empty"),
    *("undef", "nullptr", "#ref", "#value", "#name", "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx"),
)
# Written apart or together: `not set`, `not_set`, `not-set`, `notset`.
_PHRASES: Final = (
    *("not set", "not available", "not provided", "not specified", "not defined", "not applicable", "not found"),
    *("no value", "no data", "object object", "object undefined", "object null"),
    *("user id", "customer id", "client id", "visitor id", "external id", "session id", "scan session id"),
    *("email hash", "phone hash", "your id", "your user id", "user id here", "insert id here", "insert user id"),
)
# Fields by whose names templates are left in place of an address or a number; as identifiers they may be names.
_TEMPLATE_FIELDS: Final = ("email", "phone", "user email", "customer email", "email address", "user phone", "mobile")
# The nil and the max UUID. Other digits repeated are what people write in examples and tests, and stay names.
_VOID_UUIDS: Final = tuple(
    form for digit in "0f" for form in (digit * 32, "-".join(digit * length for length in (8, 4, 4, 4, 12)))
)
# MD5 and SHA-1 of the empty text.
_OTHER_HASHES_OF_NOTHING: Final = ("d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709")
WORDS: Final = frozenset(
    {
        *_SINGLE_WORDS,
        *(between.join(phrase.split()) for phrase, between in product(_PHRASES, ("", " ", "_", "-"))),
        *(f"{before}{uuid}" for before, uuid in product(("", "urn:uuid:"), _VOID_UUIDS)),
        *_OTHER_HASHES_OF_NOTHING,
    }
)
_VOIDS: Final = ("undefined", "null", "none", "nil", "nan", "unknown")
_VOID: Final = f"(?:{'|'.join(_VOIDS)})"
_OWNERS: Final = "user|usr|customer|client|visitor|member|account|acct|scan|session|external|uid|id"
# What a name without its value leaves, `user_undefined`, `null null`; and zeros or crosses alone: 0.0, 000-000, xxxx.
FILLER_PATTERN: Final = (
    rf"(?:(?:{_OWNERS})[-_.:=/ ]+)*{_VOID}(?:[-_.:+/| ]+{_VOID})*|(?:undefined|null){{2,}}"
    r"|(?:0x)?0+(?:[-_.:,/| ]+0+)*|x{2,}(?:[-_./ ]+x+)*"
)
_GUID: Final = rf"(?:{UUID_PATTERN}|[0-9a-f]{{32}})"
# Left over of a template, or a value that its language could not print. None of them is a plain text.
_TEMPLATE_PATTERN: Final = "|".join(
    (
        r"\{\{.*|[$#@]\{.*|\$\(.*\)|\[\[.*\]\]|\*\|.*\|\*",  # {{x}}, ${x}, #{x}, $(x), [[x]], *|x|*
        rf"\{{(?!{_GUID}\}})[^{{}}]*\}}",  # {x}, but for a GUID as some languages write it
        r"<[!%?].*>|<[a-z_ .-]+>|\([a-z_ .-]+\)|\[[a-z_ .-]+\]",  # <!-- x -->, <%= x %>, <?= x ?>, <x>, (x), [x]
        r"%[a-z_.]+%|%%.+%%|__[a-z_]+__|\$[a-z]+(?:(?:\.|->)[a-z_]+)+",  # %x%, %%x%%, __x__, $x->y
        r"\$(?:e?mail|phone|user|customer|uid|id|\d)|\\+(?:[nrt0]|u[0-9a-f]{4}|x00)",  # $id, \N
        rf"(?:optional|some|symbol)\({_VOID}\)|@@.+@@",
        r"%(?:\d+\$)?[a-z@]|%\([a-z_]+\)[a-z]|%![a-z]?\(.*",  # %s, %1$s, %(x)s, %!s(<nil>)
    )
)
_is_plain: Final = re.compile(PLAIN_PATTERN).fullmatch
_is_filler: Final = re.compile(FILLER_PATTERN).fullmatch
_is_template: Final = re.compile(_TEMPLATE_PATTERN, re.DOTALL).fullmatch
_between_parts: Final = re.compile(r"[,;&]").split
_QUOTES: Final = "'\"`´‘’‚“”„«»‹›"
_PUNCTUATION: Final = ".,;:!?"
# Unicode's categories of what is not seen; and of what says nothing where it stands alone: marks, white space, signs.
_INVISIBLE: Final = frozenset({"Cc", "Cf"})
_MARKS: Final = frozenset({"Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Sc", "Sk", "Sm", "Zl", "Zp", "Zs", "Mn", "Me"})
# Letters and signs by category that show nothing: Hangul fillers, the blank of Braille, what stands for lost bytes.
_BLANKS: Final = frozenset("\u115f\u1160\u2800\ufffd")

# What a phone's hash is made of where there is no number.
_NO_NUMBERS: Final = ("00", "+1", "123", "1234567", "12345678", "123456789", "1234567890", "+1234567890")
_EMPTY_FORMS: Final = ("{}", "[]", "()", "<>", "''", '""', "-0", "0.0", "+0", "—", "\\N", "%s", "%d", "%!s(<nil>)")
_TYPED: Final = ("NaN", "NaT", "-Infinity", "[object Object]", "[object Undefined]", "[object Window]")
# What stands around a word that is hashed as it is.
_AROUND: Final = (
    *(("", ""), (" ", ""), ("", " "), (" ", " "), ("", "\n"), ("", "\r\n"), ("\t", ""), ("", "\t"), ("", "\0")),
    *(("\u00a0", ""), ("", "\u00a0"), ("", "\u200b"), ("\ufeff", ""), ("+", ""), ("", "."), ("", ","), ("$", "")),
    *(("'", "'"), ('"', '"'), ("`", "`"), ("(", ")"), ("[", "]"), ("<", ">"), ("{", "}"), ("[[", "]]"), ("*|", "|*")),
    *(("{{", "}}"), ("{{ ", " }}"), ("${", "}"), ("#{", "}"), ("%", "%"), ("%%", "%%"), ("__", "__")),
)
_MAX_FILLER: Final = 64


def is_placeholder(text: str) -> bool:
    """Whether an identifier names no one. The empty text does not: it is not an identifier at all."""
    if _is_plain(text):
        return _stands_for_none(text.lower())
    if not text or len(text) > MAX_IDENTIFIER:
        return False
    decoded = unescape(unquote(text))
    return _says_nothing(text) or (decoded != text and _says_nothing(decoded))


def is_placeholder_hash(hash_hex: str) -> bool:
    """Whether a SHA-256 as 64 hex digits, in lower case, is that of such a text, or zeros alone."""
    return hash_hex in placeholder_hashes()


@cache
def placeholder_hashes() -> frozenset[str]:
    """Of all that stands for no one, however it is written, and the hashes of these hashes; some 45,000."""
    once = {_sha256(text) for text in _hashed_texts()}
    twice = {_sha256(hash_hex) for hash_hex in (HASH_OF_NOTHING, *once)}
    return frozenset((*once, *twice, "0" * 64))


def _says_nothing(text: str) -> bool:
    """Of any text; a list says nothing where none of its parts does."""
    unquoted = _folded(text).strip(f"{_QUOTES} ").rstrip(f"{_QUOTES}{_PUNCTUATION} ")
    bare = unquoted.strip("".join(filter(_is_mark, unquoted)))
    if not bare or _stands_for_none(bare) or _stands_for_none(unquoted) or _is_template(unquoted):
        return True
    parts = _between_parts(unquoted)
    return len(parts) > 1 and all(map(_says_nothing, parts))


def _stands_for_none(folded: str) -> bool:
    return (
        folded in WORDS
        or _is_filler(folded) is not None
        or (len(folded) == len(HASH_OF_NOTHING) and (folded == HASH_OF_NOTHING or is_placeholder_hash(folded)))
    )


def _folded(text: str) -> str:
    """In one width and case, with one space for white space and without what is not seen."""
    spaced = " ".join(unicodedata.normalize("NFKC", text).split())
    if not spaced.isprintable():
        spaced = "".join(char for char in spaced if unicodedata.category(char) not in _INVISIBLE)
    return spaced.casefold()


def _is_mark(char: str) -> bool:
    return unicodedata.category(char) in _MARKS or char in _BLANKS


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _hashed_texts() -> Iterator[str]:
    """As clients, people and templates write them before they hash them."""
    yield from (*_NO_NUMBERS, *_EMPTY_FORMS, *_VOID_UUIDS, *_TYPED)
    words = {*_spellings(_SINGLE_WORDS), *_spellings(_PHRASES), *_spellings(_TEMPLATE_FIELDS)}
    yield from (f"{before}{word}{after}" for word, (before, after) in product(words, _AROUND))
    yield from (
        f"{spell(one)}{between}{spell(one)}"
        for one, between, spell in product(_VOIDS, ("", " ", ",", ", ", "-", "_"), (str.lower, str.upper, str.title))
    )
    signs = "0123456789xX-?._*# \t\n\u00a0\u200b\ufeff"
    for before, sign, length in product(("", "+"), signs, range(1, _MAX_FILLER + 1)):
        yield before + sign * length
    yield "+"


def _spellings(phrases: tuple[str, ...]) -> Iterator[str]:
    """In each case, apart and together: `user id`, `USER_ID`, `User-Id`, `user.id`, `userId`."""
    for phrase in phrases:
        first, *others = phrase.split()
        yield first + "".join(other.title() for other in others)
        for between, spell in product(("", " ", "_", "-", ".") if others else ("",), (str.lower, str.upper, str.title)):
            yield spell(between.join((first, *others)))
        yield phrase.capitalize()
