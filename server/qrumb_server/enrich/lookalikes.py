"""What has the form of an e-mail address and is none: remotes of git, handles, ids of messages in a URL.

Invariant: time is bounded for each @, however long the text is.
"""

import re
from typing import Final

from qrumb_server.model import UUID_PATTERN

__all__ = ["is_lookalike"]

_REMOTE_USERS: Final = frozenset({"forgejo", "git", "gitea", "gitlab", "gitolite", "hg", "svn"})
_remote_path = re.compile(r":[\w./~+-]{1,200}?\.git\b").match

_joins_to_the_left = re.compile(r"[\w.+-]").match

# What mail programs make before the @ of a Message-ID: a UUID, a time, a number, many random characters.
_is_machine_made = re.compile(
    rf"(?i:{UUID_PATTERN})"
    r"""
    | [0-9]{12,14}[.-][\w.+=-]+
    | [0-9]+(?:\.[0-9]+)+\.JavaMail\.[\w.-]+
    | CA[\w+=/-]{30,}
    | (?=(?:[^0-9]*[0-9]){8}) [\w+=-]{24,}
    """,
    re.VERBOSE,
).fullmatch
_ends_in_message_id_label = re.compile(r"(?:msg|message)[_-]?id[=/:]<?\Z", re.IGNORECASE).search
# Characters before an address that are looked at for the URL that it may be in; and of what a machine makes.
_MAX_URL_BEFORE: Final = 512
_MAX_MADE: Final = 256
_url_breaks = re.compile(r"[\s\"'<>]").split


def is_lookalike(local: str, plain: str, start: int, end: int) -> bool:
    """Whether plain[start:end], which begins with `local` and an @, is something else than an address."""
    return _is_remote(local, plain, end) or _is_handle(plain, start) or _is_message_id(local, plain, start)


def _is_remote(local: str, plain: str, end: int) -> bool:
    """user@host, followed by the path of a repository, as git and its kin write remotes."""
    if not plain.startswith(":", end) or plain[end + 1 : end + 2].isspace() or end + 1 == len(plain):
        return False
    return local.lower() in _REMOTE_USERS or _remote_path(plain, end) is not None


def _is_handle(plain: str, start: int) -> bool:
    """@jane@social.example: an @ before the name, and nothing that would make an address of that one."""
    if start == 0 or plain[start - 1] != "@":
        return False
    return start == 1 or not _joins_to_the_left(plain[start - 2])


def _is_message_id(local: str, plain: str, start: int) -> bool:
    """The name of a message within a URL, as archives of mailing lists have it."""
    before = plain[max(0, start - _MAX_URL_BEFORE) : start]
    if "://" not in before:
        return False
    before = _url_breaks(before)[-1]
    if "://" not in before:
        return False
    return bool(_is_machine_made(local[:_MAX_MADE]) or _ends_in_message_id_label(before[-16:]))
