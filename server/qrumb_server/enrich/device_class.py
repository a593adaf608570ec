"""The class of a device by what its agent says: mobile, tablet, desktop, tv, console or other.

Own rules, because ua-parser has no classes. They look for kinds of devices, hardly for models: Chrome on Android
names none any more ("Android 10; K"), and there only the word Mobile tells a phone from a tablet.
"""

from collections.abc import Callable
from functools import cache
from typing import Final

from qrumb_server.enrich.patterns import first_label

__all__ = ["device_class", "load_classes"]

_ANDROID: Final = "android"
# The first that matches counts.
_RULES: Final = (
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
    kind = _rules()(text)
    if kind == _ANDROID:
        # Apps that are no browser leave the word Mobile out on phones, too.
        is_browser = "WebKit" in text or "Gecko/" in text
        return "tablet" if is_browser and "Mobi" not in text and "mobi" not in text else "mobile"
    return kind or _BY_SYSTEM.get(os_family, "other" if os_family else "")


def load_classes() -> None:
    """Load what is loaded once."""
    _rules()


@cache
def _rules() -> Callable[[str], str]:
    return first_label(_RULES)
