"""The one form in which an e-mail address or a phone number is hashed, however it was typed, copied or exported.

Invariant: what comes out is the address or the number that was meant, or ValueError: a guess would be the hash of
another person. The error never quotes the text. clients/cases/hashes.yaml holds the clients of all languages to it.
"""

import re
import unicodedata
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Final

__all__ = ["normal_email", "normal_phone"]

_NO_EMAIL: Final = "email is not an e-mail address"
_NO_PHONE: Final = (
    "phone is not an international number: it needs + or 00, the country code, and neither letters nor an extension"
)
_DOUBTFUL_PHONE: Final = (
    "phone may have a trunk prefix after its country code: leave it out, or install qrumb[phone], "
    "which knows the numbers of each country"
)
_IMPOSSIBLE_PHONE: Final = "phone is not a number of its country"

# Longer ones hold more than an address, and Python composes characters in quadratic time.
_MAX_TEXT: Final = 1_000
# RFC 5321 and RFC 1035, in bytes.
_MAX_EMAIL_BYTES, _MAX_LABEL_BYTES = 254, 63

# Without ink, yet none of Unicode's format characters (Cf): a joiner, Hangul fillers, variation selectors.
_INKLESS: Final = dict.fromkeys([0x034F, 0x115F, 0x1160, *range(0xFE00, 0xFE10)])
# Full-width forms of ASCII, as keyboards of East Asia type them.
_WIDE: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}

_named = re.compile(r"[^@<>]*<([^<>]*)>[.,;]*").fullmatch
_OPENING: Final = "\"'([<“”„‚‘’«»‹›"
_CLOSING: Final = "\"')]>“”‘’«»‹›.,;:!?"
_ATOM_SIGNS: Final = frozenset("!#$%&'*+-/=?^_`{|}~")

_drop_separators = re.compile(r"[\s./\-\u2010-\u2015\u2212]+").sub
_international = re.compile(r"\A\(?(?:00|\+)").sub
# E.164: at most 15 digits, none of the country codes starts with 0; no number has fewer than 7.
_is_e164 = re.compile(r"\+[1-9][0-9]{6,14}").fullmatch
_COUNTRY: Final = (
    r"\+(?:[17]|2(?:[07]|[1-689][0-9])|3(?:[0-469]|[578][0-9])|4(?:[013-9]|2[0-9])|5(?:[1-8]|[09][0-9])"
    r"|6(?:[0-6]|[7-9][0-9])|8(?:[1246]|[03578-9][0-9])|9(?:[0-58]|[679][0-9]))"
)
# A trunk prefix is dialled before a number within its country: a zero (in some countries a part of the number), an 8,
# or what makes more than the ten digits that all numbers of +1 and +7 have.
_may_have_trunk_prefix = re.compile(rf"{_COUNTRY}0.*|\+(?:370|375|993)8.*|\+[17](?:.{{0,9}}|.{{11,}})").fullmatch
_optional_zero = re.compile(rf"{_COUNTRY}\)?\(0").match


def normal_email(text: str) -> str:
    """The address in lower case, without what it was copied with: mailto:, a name, quotes, punctuation after it.

    Width, case and composition of characters are treated as RFC 8265 does it for names; a host is in letters, not xn--.

    Raises:
        ValueError: it is not one e-mail address.
    """
    # Letter by letter: the final sigma of some languages' lower() would make another person of the same one.
    text = unicodedata.normalize("NFC", "".join(char.lower() for char in _folded(text))).strip()
    if named := _named(text):
        text = named[1].strip()
    text = text.lstrip(_OPENING).rstrip(_CLOSING)
    if text.startswith("mailto:"):
        text = text.removeprefix("mailto:").removeprefix("//").partition("?")[0]
        if "%" in text:  # part of it is encoded
            raise ValueError(_NO_EMAIL)
    local, _, domain = text.partition("@")
    labels = [_decoded(label) if label.startswith("xn--") else label for label in domain.split(".")]
    normal = f"{local}@{'.'.join(labels)}"
    is_address = (
        all(_is_word(atom, _ATOM_SIGNS) for atom in local.split("."))
        and all(_is_word(label, "-") and label.strip("-") == label for label in labels)
        and len(labels) > 1
        and len(labels[-1]) > 1
        and labels[-1][0].isalpha()
        and unicodedata.normalize("NFKC", normal) == normal
        and len(normal.encode()) <= _MAX_EMAIL_BYTES
    )
    if not is_address:
        raise ValueError(_NO_EMAIL)
    return normal


def normal_phone(text: str) -> str:
    """The number in E.164 form, with the leading +.

    Whether a zero after the country code is a trunk prefix, +43 (0)660, is known to the library phonenumbers, an extra
    (`qrumb[phone]`), which also finds numbers that cannot exist. It changes no number that is taken without it.

    Raises:
        ValueError: it is not an international number, or without the library may not be the one that it seems.
    """
    compact = _drop_separators("", _folded(text).strip().lower().removeprefix("tel:"))
    compact = _international("+", compact)
    number = compact.replace("(", "").replace(")", "")
    has_optional_zero = _optional_zero(compact) is not None
    if not _is_e164(number) or compact.count("(0") != has_optional_zero:
        raise ValueError(_NO_PHONE)
    is_doubtful = _may_have_trunk_prefix(number) is not None
    library = _phonenumbers()
    if library is not None:
        return _confirmed(library, number, is_doubtful=is_doubtful, drops_zero=has_optional_zero)
    if is_doubtful:
        raise ValueError(_DOUBTFUL_PHONE)
    return number


def _folded(text: str) -> str:
    """Without characters that have no ink, and ASCII in one width."""
    if len(text) > _MAX_TEXT:
        return ""
    if text.isascii():
        return text
    seen = "".join(char for char in text if unicodedata.category(char) != "Cf")
    return seen.translate(_INKLESS).translate(_WIDE)


def _is_word(text: str, signs: frozenset[str] | str) -> bool:
    """Letters with their marks, digits and these signs, at least one."""
    return text != "" and all(unicodedata.category(char)[0] in "LMN" or char in signs for char in text)


def _decoded(label: str) -> str:
    """A host's label xn--... in letters; empty: none encodes to it."""
    try:
        letters = label[4:].encode("ascii").decode("punycode") if len(label) <= _MAX_LABEL_BYTES else ""
    except UnicodeError:
        return ""
    is_sound = not letters.isascii() and not letters.startswith("xn--")
    is_sound = is_sound and "".join(char.lower() for char in letters) == letters
    return letters if is_sound and letters.encode("punycode").decode() == label[4:] else ""


@cache
def _phonenumbers() -> ModuleType | None:
    """The library of the extra, imported with the first number; None: it is not installed."""
    try:
        return import_module("phonenumbers")
    except ImportError:
        return None


def _confirmed(library: ModuleType, number: str, *, is_doubtful: bool, drops_zero: bool) -> str:
    """The number as its country has it. Where nothing is doubtful only the length is judged: ranges are opened anew."""
    try:
        parsed = library.parse(number)
    except library.NumberParseException:
        raise ValueError(_IMPOSSIBLE_PHONE) from None
    known: str = library.format_number(parsed, library.PhoneNumberFormat.E164)
    is_possible = library.is_possible_number_with_reason(parsed) == library.ValidationResult.IS_POSSIBLE
    exists = library.is_valid_number(parsed) if is_doubtful else is_possible and known == number
    if not exists or (drops_zero and known == number):
        raise ValueError(_IMPOSSIBLE_PHONE)
    return known
