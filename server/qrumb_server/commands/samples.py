"""Made-up visits for first steps: scans of three posters by people's phones, and what follows from some of them."""

import random
from collections.abc import Iterator
from typing import Any, Final

__all__ = ["AGENTS", "FIREFOX", "sample_visits"]

_WEBKIT: Final = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_ANDROID: Final = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)"
_IPHONE: Final = f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {_WEBKIT}"
FIREFOX: Final = "Mozilla/5.0 (Android 15; Mobile; rv:142.0) Gecko/142.0 Firefox/142.0"
AGENTS: Final = (
    f"{_IPHONE} Version/18.6 Mobile/15E148 Safari/604.1",
    f"{_ANDROID} Chrome/140.0.0.0 Mobile Safari/537.36",
    f"{_IPHONE} CriOS/140.0.7339.39 Mobile/15E148 Safari/604.1",
    f"{_ANDROID} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
    FIREFOX,
    f"Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) {_WEBKIT} Version/18.6 Mobile/15E148 Safari/604.1",
)
"""What visitors' browsers say; the more frequent first."""
_CODES: Final = ("poster-7", "poster-8", "flyer-2")
_PAGES: Final = (("pageview", "landing"), ("click", "landing"), ("form_submit", "checkout"))
Sample = dict[str, Any]


def sample_visits(site_id: str, seed: int | None) -> Iterator[tuple[Sample, list[Sample]]]:
    """Scan sessions without end, and the events of each: for some a pageview, clicks, a form and a purchase."""
    chance = random.Random(seed)  # noqa: S311
    while True:
        session = f"scan-{chance.getrandbits(48):012x}"
        agent = AGENTS[min(int(chance.expovariate(0.7)), len(AGENTS) - 1)]
        scan = {
            "site_id": site_id,
            "scan_session_id": session,
            "qr_code_id": chance.choice(_CODES),
            "user_agent": agent,
            "request_method": "GET",
        }
        visit: list[Sample] = [
            {
                "event_type": kind,
                "page_url": f"https://shop.example/{page}",
                "page_title": page.title(),
                # The agent of this program's own requests would be a bot's.
                "device": {"user_agent": agent},
            }
            for kind, page in _PAGES[: chance.randint(1, 3)]
        ]
        if chance.random() < 0.2:
            amount = round(chance.uniform(5, 200), 2)
            visit.append({"event_name": "purchase", "conversion_value": {"amount": amount, "currency": "EUR"}})
        common = {"site_id": site_id, "scan_session_id": session, "consent": "granted"}
        yield scan, [{**common, **event} for event in visit]
