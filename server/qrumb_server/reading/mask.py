"""A text that is not JSON, made fit to be kept: its signs show what is wrong, its words give nothing personal away."""

import re
from functools import cache
from typing import Any, Final

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.model import SITE_ID_PATTERN

__all__ = ["MAX_MASKED", "masked", "stated_site"]

# Characters of it that are kept: the place of the fault is in the letter's violation.
MAX_MASKED: Final = 4_096

# An escape may be the fault, so its sign and letter stay.
_find_words = re.compile(r"(?P<escape>\\\\.)|(?P<word>[^\W_](?:\w*[^\W_])?)|(?P<other>[^\x00-\x7f])", re.DOTALL)
_find_sites = re.compile(rf'"(?:site_id|siteId)"\s*:\s*"({SITE_ID_PATTERN})"'.encode()).findall


def masked(text: bytes) -> str:
    """The beginning of a text without what its sender has filled in: * for letters, 0 for digits."""
    beginning = text[: 4 * MAX_MASKED].decode(errors="replace")[:MAX_MASKED]
    return _find_words.sub(_mask, beginning)


def stated_site(text: bytes) -> str:
    """The site that a text names, where it names one only: it has a right to know of its senders' faults."""
    sites = set(_find_sites(text))
    return sites.pop().decode() if len(sites) == 1 else ""


def _mask(match: re.Match[str]) -> str:
    if match["escape"]:
        return match["escape"]
    if (word := match["word"]) and word not in _known_words():
        return "".join("0" if sign.isdigit() else "_" if sign == "_" else "*" for sign in word)
    return match["word"] or "*"


@cache
def _known_words() -> frozenset[str]:
    """Names of the contract, and what JSON itself has for words."""
    found = {"true", "false", "null", "NaN", "Infinity", "None", "True", "False", "undefined", "events"}
    found |= {"validate_only", "validateOnly"}
    waiting: list[Any] = [BrowserEvent.DESCRIPTOR, ServerEvent.DESCRIPTOR]
    while waiting:
        for known in waiting.pop().fields:
            found |= {known.name, known.json_name}
            if known.message_type is not None and known.message_type.full_name.startswith("qrumb."):
                waiting.append(known.message_type)
    return frozenset(found)
