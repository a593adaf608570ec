"""Which agents are programs of their own rather than a visitor's browser, by what they say of themselves.

The names come from the package crawlerdetect. Its patterns run in another engine than its own: the same verdicts,
but in linear time whatever the text is, and far faster. Beside them stand a few signs of our own, for what the
list does not know.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Final

from crawlerdetect.providers.crawlers import data as listed_patterns  # type: ignore[import-untyped]  # no py.typed
from crawlerdetect.providers.exclusions import data as browser_patterns  # type: ignore[import-untyped]

from qrumb_server.enrich.patterns import first_label

__all__ = ["bot_kind", "is_automated_brand", "load_bots"]

_RULES: Final = (
    # A posted link was shown as a card; no code was scanned.
    (
        "preview",
        r"""(?xi)
          facebookexternalhit | facebot\b | meta-externalfetcher | cortex/ | twitterbot | linkedinbot | slackbot
        | slack-imgproxy | discordbot | telegrambot | ^whatsapp/ | skypeuripreview | vkshare | redditbot
        | \bpinterest(?:bot)?/\d | viber/?[\d.]*\ ?(?:bot|preview) | kakaotalk-scrap | line-poker | cardyb
        | mastodon/ | iframely | embedly | bingpreview | snap\ url\ preview | google-pagerenderer
        | xing-contenttabreceiver | bitlybot | flipboardproxy | opengraph | link-?preview | url-?preview | unfurl
        """,
    ),
    # A contact address, which no browser states; what drives a browser; and names.
    (
        "bot",
        r"""(?xi)
          https?:// | \bwww\.\w | [\w.]@[\w-]+\.\w | mailto: | \$\{jndi: | bot\b(?:[/;,)]|$) | spider[/;,)]
        | headless | lighthouse | puppeteer | playwright | selenium | webdriver | phantomjs | cypress/ | ptst/
        | crawler | scanner | scraper | research | -agent/ | monitor(?:ing)?[/;,)] | cloudflare | meta-external
        | \b(?:amzn|manus|chatgpt|claude|perplexity|mistralai)-user | \bcohere-ai
        | \bgoogle-\w | googleother | google-?adsense
        """,
    ),
    # "compatible" was for browsers that pretended to be another. Who says it today, and names none, is a program.
    ("browser", r"(?i)compatible; *(?:MSIE|Konqueror|U;|Linux|Windows|WebPositive|NetFront)"),
    ("bot", r"(?i)[(;] ?compatible[;)]"),
)


def bot_kind(text: str) -> str:
    """`preview`, `bot`, or empty for what may be a visitor."""
    kind = _marked()(text)
    if kind in ("preview", "bot"):
        return kind
    # Only then is what a browser says of itself taken out, as the list asks for: that costs more than the search.
    return "bot" if _is_listed(text) and _is_listed(_browser_words().sub("", text)) else ""


def is_automated_brand(brands: str) -> bool:
    """Whether the client hint of the browser's brands (sec-ch-ua) names one without a screen."""
    return "Headless" in brands


def load_bots() -> None:
    """Load what is loaded once."""
    _marked()
    _listed()
    _browser_words()


def _is_listed(text: str) -> bool:
    linear, rest = _listed()
    return linear(text) != "" or rest.search(text) is not None


@cache
def _marked() -> Callable[[str], str]:
    return first_label(_RULES)


@cache
def _listed() -> tuple[Callable[[str], str], re.Pattern[str]]:
    """The list as one pattern, which takes half the memory; what needs a look-ahead (Yandex) is for Python."""
    linear = "|".join(pattern for pattern in listed_patterns if "(?" not in pattern)
    rest = "|".join(pattern for pattern in listed_patterns if "(?" in pattern)
    return first_label([("bot", f"(?i)(?:{linear})")]), re.compile(rest or "(?!)", re.IGNORECASE)


@cache
def _browser_words() -> re.Pattern[str]:
    # Chrome's network library is in apps of all kinds; the list knows cron.
    return re.compile("|".join([*browser_patterns, "Cronet"]), re.IGNORECASE)
