"""URLs as they may be kept: which are usable, and what is taken out of one.

Invariant: no URL that leaves here has user info, its own or that of a URL inside it, percent-encoded or not. Time is
linear in the text.
"""

import re
from typing import Final
from urllib.parse import urlsplit, urlunsplit

__all__ = ["PAGE_URL_PATTERN", "REFERRER_PATTERN", "bare", "is_page_url", "is_referrer", "without_user_info"]

PAGE_URL_PATTERN: Final = r"[hH][tT][tT][pP][sS]?://[^/?#].*"
REFERRER_PATTERN: Final = r"([hH][tT][tT][pP][sS]?|android-app)://[^/?#].*"

is_page_url = re.compile(PAGE_URL_PATTERN).fullmatch
"""Whether a text is an absolute http or https URL."""
is_referrer = re.compile(REFERRER_PATTERN).fullmatch
"""As is_page_url, and android-app, which Chrome on Android states for apps."""

_AT: Final = "(?:@|%(?:25)*40)"
_own_user_info = re.compile(rf"([^/?#]*//)[^/?#]*{_AT}").match
_inner_user_info = re.compile(
    rf"""
    # Up to the @: nothing that ends the authority of the inner URL, or its place in the outer one.
      (://) (?: (?!%(?:25)*(?:2[Ff36]|3[Ff])) [^/?#&\s"'<>] )* {_AT}
    | (%(?:25)*3[Aa] (?:%(?:25)*2[Ff]){{2}}) (?: (?!%(?:25)*(?:2[Ff36]|3[Ff])) [^/?#&\s] )* {_AT}
    """,
    re.VERBOSE,
).sub


def without_user_info(url: str) -> str:
    """The URL without `user:password@`, wherever in it."""
    if "@" not in url and "40" not in url:
        return url
    if own := _own_user_info(url):
        url = own[1] + url[own.end() :]
    return _inner_user_info(lambda found: found[1] or found[2], url)


def bare(url: str) -> str:
    """The URL without query, fragment and user info: what denied consent leaves of it."""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that are not an IPv6 address; the field rules do not look into hosts
        return without_user_info(url.partition("?")[0].partition("#")[0])
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
