"""What is told from a User-Agent, the client hints and the page: class, families, programs, contradictions."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from crawlerdetect import CrawlerDetect

from qrumb_server.enrich import agent as agent_module
from qrumb_server.enrich.agent import DEVICE_TYPES, MAX_AGENT, Agent, ClientHints, describe_agent, refine, warm_up
from qrumb_server.enrich.agent_rules import bot_kind

_CORPUS = Path(__file__).parents[2] / "golden" / "agents.tsv"
_ENGINE = "AppleWebKit/537.36 (KHTML, like Gecko)"
_CHROME = f"{_ENGINE} Chrome/142.0.0.0 Safari/537.36"
WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME}"
MAC = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_CHROME}"
LINUX = f"Mozilla/5.0 (X11; Linux x86_64) {_CHROME}"
CHROME_OS = f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {_CHROME}"
PHONE = f"Mozilla/5.0 (Linux; Android 10; K) {_ENGINE} Chrome/142.0.0.0 Mobile Safari/537.36"
TABLET = f"Mozilla/5.0 (Linux; Android 10; K) {_CHROME}"
TV = f"Mozilla/5.0 (Linux; Android 12; BRAVIA 4K VH2) {_CHROME}"
HEADSET = f"Mozilla/5.0 (X11; Linux x86_64; Quest 3) {_ENGINE} OculusBrowser/36.0 Chrome/128.0.0.0 VR Safari/537.36"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1"
)
MAC_SAFARI = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Safari/605.1.15"
)


def _rows() -> Iterator[tuple[str, list[str]]]:
    for number, line in enumerate(_CORPUS.read_text(encoding="utf-8").splitlines()[1:], 2):
        device_type, *rest = line.split("\t")
        yield f"line{number}-{device_type}", [device_type, *rest]


CORPUS = [pytest.param(*row, id=name) for name, row in _rows()]


def hints(platform: str, mobile: str = "?0") -> ClientHints:
    return ClientHints(brands='"Chromium";v="142", "Not_A Brand";v="99"', mobile=mobile, platform=f'"{platform}"')


@pytest.mark.parametrize(("device_type", "browser", "system", "visitor", "text"), CORPUS)
def test_the_description_is_that_of_the_corpus(
    device_type: str, browser: str, system: str, visitor: str, text: str
) -> None:
    """A person in a browser or app, a program, or the fetch for a link's preview."""
    assert describe_agent(text) == Agent(
        device_type=device_type,
        browser_family=browser,
        os_family=system,
        is_bot=visitor != "human",
        is_preview=visitor == "preview",
    )


def test_the_corpus_is_wide() -> None:
    rows = [row for _, row in _rows()]
    assert len({row[4] for row in rows}) == len(rows) >= 120
    assert {row[0] for row in rows} == DEVICE_TYPES
    assert sum(row[3] == "human" for row in rows) >= 80


@pytest.mark.parametrize(("device_type", "browser", "system", "visitor", "text"), CORPUS)
def test_what_crawlerdetect_calls_a_crawler_is_a_bot(
    device_type: str, browser: str, system: str, visitor: str, text: str
) -> None:
    """Its patterns give in our engine what they give in its own; only that Cronet is not a cron."""
    if CrawlerDetect().is_crawler(text.replace("Cronet", "")):
        assert bot_kind(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "grpc-python/1.85.1 grpc-c/53.0.0 (linux; chttp2)",
        "grpc-go/1.80.0",
        "shop/2 grpc-java-netty/1.79.0",
        "grpc-node-js/1.14.0",
        "grpc-dotnet/2.71.0 (.NET 9.0.1)",
        "grpc-c++/1.76.0",
        "tonic/0.14.2",
        "connect-go/1.19.1 (go1.25)",
    ],
)
def test_no_agent_and_that_of_a_grpc_library_say_nothing(text: str) -> None:
    """Whatever the hints say: they are the visitor's only together with an agent."""
    assert describe_agent(text, hints("Windows")) == Agent()


@pytest.mark.parametrize(
    ("text", "platform", "mobile"),
    [
        (WINDOWS, "Windows", "?0"),
        (MAC, "macOS", "?0"),
        (LINUX, "Linux", "?0"),
        (CHROME_OS, "Chrome OS", "?0"),
        (CHROME_OS, "Chromium OS", "?0"),
        (CHROME_OS, "Linux", "?0"),
        (PHONE, "Android", "?1"),
        (PHONE, "Android", "?0"),
        (TABLET, "Android", "?0"),
        (TABLET, "Chrome OS", "?0"),
        (LINUX, "Android", "?0"),
        (LINUX, "Android", "?1"),
        (MAC, "Android", "?1"),
        (TV, "Linux", "?0"),
        (HEADSET, "Android", "?0"),
        (PHONE, "Unknown", "?1"),
        (WINDOWS, "Fuchsia", "?0"),
        (PHONE, "", "?1"),
        (IPHONE, "iOS", "?1"),
        (IPHONE, "", ""),
    ],
)
def test_what_honest_browsers_send_is_no_contradiction(text: str, platform: str, mobile: str) -> None:
    """The desktop site on Android, Android apps on Chrome OS, web views, and set-top boxes included."""
    assert not describe_agent(text, hints(platform, mobile)).contradicts_hints


@pytest.mark.parametrize(
    ("text", "platform", "mobile"),
    [
        (WINDOWS, "Android", "?1"),
        (WINDOWS, "Linux", "?0"),
        (WINDOWS, "macOS", "?0"),
        (WINDOWS, "Windows", "?1"),
        (WINDOWS, "", "?1"),
        (MAC, "Windows", "?0"),
        (MAC, "Linux", "?0"),
        (LINUX, "Windows", "?0"),
        (PHONE, "Windows", "?0"),
        (PHONE, "Linux", "?0"),
        (PHONE, "macOS", "?1"),
        (IPHONE, "Android", "?1"),
        (IPHONE, "Windows", "?0"),
        (IPHONE, "macOS", "?0"),
    ],
)
def test_an_agent_that_its_hints_belie_is_marked(text: str, platform: str, mobile: str) -> None:
    agent = describe_agent(text, hints(platform, mobile))
    assert agent.contradicts_hints
    assert not agent.is_bot


def test_the_desktop_site_on_android_is_told_from_a_desktop() -> None:
    """Where the hint still says Android, as browsers other than Chrome do."""
    described = describe_agent(LINUX, hints("Android", "?0"))
    assert (described.device_type, described.os_family) == ("tablet", "Android")
    described = describe_agent(LINUX, hints("Android", "?1"))
    assert (described.device_type, described.os_family) == ("mobile", "Android")


def test_a_headless_brand_is_a_bot_whatever_the_agent_says() -> None:
    headless = ClientHints(brands='"HeadlessChrome";v="142", "Chromium";v="142"', platform='"Windows"')
    assert describe_agent(WINDOWS, headless).device_type == "bot"


def test_a_mac_with_touch_points_is_an_ipad() -> None:
    described = describe_agent(MAC_SAFARI)
    refined = refine(described, 5, "desktop")
    assert (refined.device_type, refined.os_family) == ("tablet", "iOS")
    assert refine(described, 0, "") == refine(described, 1, "") == described


@pytest.mark.parametrize("text", [WINDOWS, LINUX, CHROME_OS, MAC])
def test_other_desktops_with_a_touch_screen_stay_desktops(text: str) -> None:
    """Chrome that says Macintosh is on one: on an iPad it says CriOS."""
    assert refine(describe_agent(text), 10, "tablet") == describe_agent(text)


def test_the_stated_type_fills_in_only_what_the_agent_left_open() -> None:
    assert refine(Agent(), 0, "Tablet ").device_type == "tablet"
    assert refine(describe_agent(HEADSET), 0, "tv").device_type == "tv"
    assert refine(describe_agent(PHONE), 0, "desktop").device_type == "mobile"
    assert refine(Agent(), 0, "toaster") == refine(Agent(), 0, "") == Agent()
    assert refine(Agent(), 0, "bot") == Agent(device_type="bot", is_bot=True)


def test_a_bot_stays_one_whatever_its_page_says() -> None:
    bot = describe_agent("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Applebot/0.1")
    assert refine(bot, 5, "desktop") == bot


def test_an_address_in_an_agent_is_in_no_family() -> None:
    for text in ("ana@posteo.de/1.0 CFNetwork/1568.200.51 Darwin/24.1.0", "ana%40posteo.de/7 CFNetwork/1 Darwin/24.1"):
        assert "posteo" not in describe_agent(text).browser_family


def test_what_is_beyond_the_limit_is_not_read() -> None:
    assert not describe_agent(PHONE.ljust(MAX_AGENT) + "Googlebot/2.1").is_bot
    assert describe_agent(PHONE.ljust(MAX_AGENT - 13) + "Googlebot/2.1").is_bot


def test_the_cache_is_bounded_in_entries_and_in_bytes() -> None:
    """20,000 agents, none longer than 512 characters; hints are cut to what a browser would send."""
    cached = agent_module._describe
    assert cached.cache_info().maxsize == 20_000
    cached.cache_clear()
    describe_agent("x" * 513)
    assert cached.cache_info().currsize == 0
    describe_agent("x" * 512, ClientHints(brands="b" * 10_000, mobile="m" * 10_000, platform="p" * 10_000))
    describe_agent("x" * 512, ClientHints(brands="b" * 10_001, mobile="m" * 10_001, platform="p" * 10_001))
    assert (cached.cache_info().currsize, cached.cache_info().hits) == (1, 1)


_HOSTILE = [
    "a", "1", "(", "; ", "\0", "\n", "é", "\ud800", "𝕏", "Mozilla/", "Android ", "compatible; ", "Gecko.", "Safari.1",
    "Version.1.", "bot", "crawl", "a-_", "Opera Mini/1.1.", "www.", "a@b", "TV", "Yandex", "HbbTV/1.1.1 (a ", "grpc-",
    "Go 1.1 package", "Java", "%40", "1.1.1.1",
]  # fmt: skip


@pytest.mark.parametrize("piece", _HOSTILE, ids=ascii)
def test_hostile_agents_cost_no_more_than_their_length(piece: str) -> None:
    """Measured: 1.5 ms at most. The bound is wide, a pattern that goes back over its text is slower by far."""
    warm_up()
    texts = [f"{number}{piece * MAX_AGENT}"[:MAX_AGENT] for number in range(3)]
    spent = []
    for text in texts:
        started = time.thread_time()
        describe_agent(text)
        spent.append(time.thread_time() - started)
    assert min(spent) < 0.03
