"""The rules by which a User-Agent is a program of its own, and of what class its device is.

All patterns of a table are tried at once, in time linear in the text, whatever the text is: by ua-parser's engine
(Rust), which knows no look-around and no back references. A table's order says which of several matches counts.

Programs: the names come from the package crawlerdetect, whose verdicts are the same in this engine and far faster.
Beside them stand a few signs of our own, for what the list does not know.

Devices: own rules, because ua-parser has no classes. They look for kinds of devices, hardly for models: Chrome on
Android names none any more ("Android 10; K"), and there only the word Mobile tells a phone from a tablet.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Final

from crawlerdetect.providers.crawlers import data as listed_patterns  # type: ignore[import-untyped]  # no py.typed
from crawlerdetect.providers.exclusions import data as browser_patterns  # type: ignore[import-untyped]
from ua_parser_rs import UserAgentExtractor

__all__ = ["bot_kind", "device_class", "is_automated_brand", "load_rules"]

_PROGRAM_RULES: Final = (
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


def load_rules() -> None:
    """Load what is loaded once."""
    _marked()
    _listed()
    _browser_words()
    _device_rules()


def _is_listed(text: str) -> bool:
    linear, rest = _listed()
    return linear(text.lower()) != "" or rest.search(text) is not None


@cache
def _marked() -> Callable[[str], str]:
    return _first_label(_PROGRAM_RULES)


@cache
def _listed() -> tuple[Callable[[str], str], re.Pattern[str]]:
    """The list as one pattern, which takes half the memory; what needs a look-ahead (Yandex) is for Python.

    In small letters, for texts in small letters: to make one for either case takes four times as long, a tenth of a
    worker's start.
    """
    linear = "|".join(pattern.lower() for pattern in listed_patterns if _is_linear(pattern))
    rest = "|".join(pattern for pattern in listed_patterns if not _is_linear(pattern))
    return _first_label([("bot", linear)]), re.compile(rest or "(?!)", re.IGNORECASE)


def _is_linear(pattern: str) -> bool:
    """Whether it needs nothing of Python's engine, and means the same in small letters: \\S would not."""
    return "(?" not in pattern and not any(map(str.isupper, re.findall(r"\\(.)", pattern)))


@cache
def _browser_words() -> re.Pattern[str]:
    # Chrome's network library is in apps of all kinds; the list knows cron.
    return re.compile("|".join([*browser_patterns, "Cronet"]), re.IGNORECASE)


_ANDROID: Final = "android"
# The first that matches counts.
_DEVICE_RULES: Final = (
    ("console", r"(?i)playstation|xbox|nintendo|\bpsp\b|\bPS[3-6]\b|dreamcast|\bsega"),
    (
        "tv",
        r"""(?x)
          TV(?:[^A-Za-z]|$) | TV(?:Box|BOX|Store|Safari) | Large\ Screen | LargeScreen
        | (?i:smart-?tv|tvos\b|bravia|viera|netcast|chromecast|vidaa|set-?top|iptv|\bott\b|tv-?box|\.tv\.)
        | \bAFT[A-Z0-9]{1,5}\b | CrKey | Roku | Web0S | webOS\.TV | Espial | CE-HTML | OMI/ | Vewd | \bSTB | \bMAG\d{3}
        | M[Ii]B[Oo][Xx] | Freebox | Maple | Dune\ ?HD | SonyCEBrowser | InettvBrowser | BrightSign
        | Opera/9\.80\ \(Linux\ (?:mips|armv|sh4|7\d{3}) | \b(?:X96|H96|T95|TX3|TX6|MXQ|A95X|HK1)
        """,
    ),
    # Worn, driven, spoken to: nothing that the other classes mean.
    (
        "other",
        r"""(?x)
          OculusBrowser | Wolvic | Pico(?:\ Neo|\ ?Browser) | \bVR\ Safari | [Ww]atch(?:OS|[\ ;)/,\d]) | SM-R\d | Tesla/
        | QtCarBrowser | Echo/ | AEO[A-Z]{2}\b | HomePod | [Aa]udioOS | visionOS | FamilyHub
        """,
    ),
    ("tablet", r"iPad|Tablet(?:[^ ]|$| [^P]| P[^C])|TABLET|PlayBook|Kindle|\bKF[A-Z]{2,6}\b|Silk/|hp-tablet|Xoom"),
    ("desktop", r"CrOS|Chromebook"),
    # Tablets that say Mobile all the same, as many did before Chrome named no models.
    (
        "tablet",
        r"""(?x)
          Android.*?(?: \b[Pp]ad\b | [a-z]Pad\b | \b(?:Tab|TAB|tab)\b | Nexus\ (?:7|9|10)\b | GT-[PN]\d{4}
        | SM-[TXP]\d{3} | \bTB-?[X\d]\d | \b(?:YT|TB)\d?-\w | Lenovo\ (?:TB|YT|YOGA) | /apad\b
        | \b(?:AGS|BAH|SCM|MRX|DBY|KOB|JDN|CMR|VRD|BZT)\d?-[AWL] )
        """,
    ),
    (_ANDROID, r"(?i)android|\badr "),
    ("tv", r"Tizen[^M]*$"),
    (
        "mobile",
        r"""(?x)
          [Mm]obi | \biOS\b | \biP(?:hone|od|h\d) | Windows\ Phone | BlackBerry | BB10 | Opera\ M(?:ini|obi)
        | K[Aa][Ii]OS | [Ss]ymb(?:ian|OS) | Series\ ?[46]0 | MIDP | UP\.(?:Browser|Link) | J2ME | MAUI | UCWEB | hpwOS
        | webOS/ | Nokia | Windows\ CE | Phone;
        """,
    ),
    ("desktop", r"Windows|Win(?:3|9)|Macintosh|Mac OS|Mac_P|X11|Linux|BSD|SunOS|Haiku|BeOS|OS/2|Amiga"),
)
# For apps, whose agents name little else.
_BY_SYSTEM: Final = {
    "iOS": "mobile",
    "Android": "mobile",
    "Windows": "desktop",
    "Mac OS X": "desktop",
    "tvOS": "tv",
    "ATV OS X": "tv",
}


def device_class(text: str, os_family: str) -> str:
    """The class; empty where neither the text nor ua-parser's family of its system has a sign of any device."""
    kind = _device_rules()(text)
    if kind == _ANDROID:
        # Apps that are not browsers leave the word Mobile out on phones, too.
        is_browser = "WebKit" in text or "Gecko/" in text
        return "tablet" if is_browser and "Mobi" not in text and "mobi" not in text else "mobile"
    return kind or _BY_SYSTEM.get(os_family, "other" if os_family else "")


@cache
def _device_rules() -> Callable[[str], str]:
    return _first_label(_DEVICE_RULES)


def _first_label(rules: Iterable[tuple[str, str]]) -> Callable[[str], str]:
    """A function that gives the label of the first rule (label, pattern) that a text matches; empty for none."""
    extractor = UserAgentExtractor([(pattern, label, None, None, None, None) for label, pattern in rules])

    def label_of(text: str) -> str:
        found = extractor.extract(text)
        return found.family if found else ""

    return label_of
