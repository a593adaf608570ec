"""What a User-Agent says of the device, the browser and the system of a visitor: describe_agent and refine.

Invariants: any text gives an Agent with values from fixed vocabularies or of bounded length, in bounded time, and
no exception. `is_bot` holds exactly where `device_type` is bot. The text itself is in no result.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Final, NamedTuple

from ua_parser import Domain, PartialResult
from ua_parser.loaders import load_lazy_builtins
from ua_parser.regex import Resolver

from qrumb_server.enrich.agent_rules import bot_kind, device_class, is_automated_brand, load_rules
from qrumb_server.enrich.email_signs import may_contain_email

__all__ = ["DEVICE_TYPES", "MAX_AGENT", "NEVER_ON_IPAD", "Agent", "ClientHints", "describe_agent", "refine", "warm_up"]

DEVICE_TYPES: Final = frozenset({"desktop", "mobile", "tablet", "tv", "console", "bot", "other"})
# The contract's limit for a User-Agent; headers can be longer, and are cut.
MAX_AGENT: Final = 2048
# Real agents are shorter. What is longer is described anew each time: the fullest cache measured has 26 MB.
_MAX_CACHED_AGENT: Final = 512
_CACHED_AGENTS: Final = 20_000
_MAX_BRANDS: Final = 256
_MAX_PLATFORM: Final = 32
_MAX_MOBILE: Final = 2
_MAX_FAMILY: Final = 64

# gRPC's and Connect's libraries: the agent of a program that reports events, and so no visitor's. Decided here, for
# every caller.
_is_rpc_library = re.compile(r"\bgrpc-[a-z+#-]{1,30}/\d|^(?:tonic|connect-[a-z]{1,20})/\d").search

# Platforms that a client hint can truthfully name beside one that the agent names. Android's browsers say
# X11 or Macintosh when the visitor asks for the desktop site; Android apps run on Chrome OS.
_HONEST_PLATFORMS: Final = {
    "windows": frozenset({"windows"}),
    "mac": frozenset({"macos", "ios", "android"}),
    "ios": frozenset({"ios"}),
    "android": frozenset({"android", "chrome os", "chromium os"}),
    "linux": frozenset({"linux", "android", "chrome os", "chromium os"}),
}
# Any other value (Unknown, or a platform of tomorrow) contradicts nothing.
_PLATFORMS: Final = frozenset().union(*_HONEST_PLATFORMS.values())
_AGENT_PLATFORMS: Final = (
    ("", ("Windows Phone", "Xbox")),
    ("windows", ("Windows",)),
    ("ios", ("iPhone", "iPad", "iPod")),
    ("mac", ("Macintosh",)),
    ("android", ("Android",)),
    ("linux", ("X11", "CrOS", "Linux")),
)
# Browsers that say Macintosh on a Macintosh only: on an iPad they are other programs under other names.
NEVER_ON_IPAD: Final = frozenset(
    {"Chrome", "Chromium", "Edge", "Electron", "Firefox", "HeadlessChrome", "Opera", "Samsung Internet", "Vivaldi"}
)


class ClientHints(NamedTuple):  # one is made for every event: half the cost of a frozen dataclass
    """The headers that Chromium sends unasked, as they were sent. Empty: not sent."""

    brands: str = ""
    """sec-ch-ua, such as '"Chromium";v="131", "Not_A Brand";v="24"'."""
    mobile: str = ""
    """sec-ch-ua-mobile: ?1 or ?0."""
    platform: str = ""
    """sec-ch-ua-platform, such as '"Android"'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """What is known of a visitor's device. Empty strings: not known."""

    device_type: str = ""
    """One of DEVICE_TYPES, or empty."""
    browser_family: str = ""
    """As ua-parser names it, such as Mobile Safari."""
    os_family: str = ""
    """As ua-parser names it, such as Mac OS X."""
    is_bot: bool = False
    is_preview: bool = False
    """Fetches a page to show a card of its link; then also a bot."""
    contradicts_hints: bool = False
    """Agent and client hints name platforms, or mobile and not mobile, that no honest browser names together."""


_NOTHING: Final = Agent()
_NO_HINTS: Final = ClientHints()


def describe_agent(user_agent: str, hints: ClientHints = _NO_HINTS) -> Agent:
    """What the agent and the hints say. An empty agent, or that of an RPC library, says nothing at all."""
    text = user_agent[:MAX_AGENT]
    if not text.isascii():
        # No list names anything beyond ASCII, the engine is slow there, and a lone surrogate is not text to it.
        text = text.encode("ascii", "replace").decode()
    describe = _describe if len(text) <= _MAX_CACHED_AGENT else _describe.__wrapped__
    return describe(text, hints.brands[:_MAX_BRANDS], hints.mobile[:_MAX_MOBILE], hints.platform[:_MAX_PLATFORM])


def refine(agent: Agent, max_touch_points: int, stated_type: str) -> Agent:
    """The agent with what the page itself knows: its touch points (navigator.maxTouchPoints) and its device's type.

    iPads say Macintosh, and no Macintosh has touch points: that makes a tablet with iOS, ua-parser's name for the
    system of iPads that do not hide. The stated type counts only where the agent gives none.
    """
    if agent.is_bot:
        return agent
    if agent.os_family == "Mac OS X" and max_touch_points > 1 and agent.browser_family not in NEVER_ON_IPAD:
        return replace(agent, device_type="tablet", os_family="iOS")
    if stated_type and agent.device_type in ("", "other"):
        stated = stated_type.strip().lower()
        if stated in DEVICE_TYPES:
            return replace(agent, device_type=stated, is_bot=stated == "bot")
    return agent


def warm_up() -> None:
    """Load both lists now rather than with the first event: 0.1 s, 24 MB. Best done before a worker forks."""
    _resolver()
    load_rules()


@lru_cache(_CACHED_AGENTS)
def _describe(user_agent: str, brands: str, mobile: str, platform: str) -> Agent:
    text = user_agent.strip()
    if not text or _is_rpc_library(text):
        return _NOTHING
    said = _resolver()(text, Domain.USER_AGENT | Domain.OS)
    browser = _family(said.user_agent.family) if said.user_agent else ""
    system = _family(said.os.family) if said.os else ""
    kind = device_class(text, system)
    bot = bot_kind(text)
    if bot or is_automated_brand(brands) or not (kind or browser):
        return Agent(
            device_type="bot",
            browser_family=browser,
            os_family=system,
            is_bot=True,
            is_preview=bot == "preview",
        )
    platform = platform.strip(' "').lower()
    contradicts = _contradicts(text, kind, mobile, platform)
    if platform == "android" and kind == "desktop" and not contradicts:
        # The desktop site on Android: tablets ask for it by themselves, phones when told to.
        kind, system = ("mobile" if mobile == "?1" else "tablet"), "Android"
    return Agent(device_type=kind or "other", browser_family=browser, os_family=system, contradicts_hints=contradicts)


def _contradicts(text: str, kind: str, mobile: str, platform: str) -> bool:
    said = next((name for name, words in _AGENT_PLATFORMS if any(word in text for word in words)), "")
    if not said or kind in ("tv", "console", "other"):
        # Set-top boxes and headsets are built from whatever there is.
        return False
    if platform in _PLATFORMS and platform not in _HONEST_PLATFORMS[said]:
        return True
    return mobile == "?1" and kind == "desktop" and platform != "android"


def _family(name: str) -> str:
    """ua-parser takes some names out of the agent: none may be long, or hold an address."""
    return "" if name == "Other" or len(name) > _MAX_FAMILY or may_contain_email(name) else name


@cache
def _resolver() -> Callable[[str, Domain], PartialResult]:
    # Without the patterns for device models, which are half the memory.
    browsers, systems, _ = load_lazy_builtins()
    return Resolver((browsers, systems, []))
