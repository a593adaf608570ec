"""Promises of the description of agents for every text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrumb_server.enrich.agent import DEVICE_TYPES, Agent, ClientHints, describe_agent, refine, warm_up

# Whatever has a meaning to the rules, glued together at random.
_PIECES = [
    "Mozilla/5.0 ", "(", ")", "; ", " ", "/", "1.0", "10_15_7", "Windows NT 10.0", "Macintosh", "Intel Mac OS X",
    "X11", "Linux", "Android", "Android 10; K", "iPhone", "iPad", "CPU OS 18_1 like Mac OS X", "CrOS", "Mobile",
    "Tablet", "TV", "Tizen", "Web0S", "Xbox", "PlayStation", "AppleWebKit/537.36", "Gecko/20100101",
    "Chrome/142.0.0.0", "Safari/537.36", "Firefox/144.0", "Version/18.1", "Edg/142.0", "compatible", "bot",
    "Googlebot/2.1", "+http://a.example", "ana@posteo.de", "CFNetwork/1568", "Darwin/24.1.0", "grpc-go/1.80.0",
    "Headless", "Twitterbot/1.0", "curl/8.11.0", "Cronet", "Yandex", "\0", "\n", "\ud800", "é", "日本",
    "Dalvik/2.1.0", "HbbTV/1.5.1", "OculusBrowser", "Watch", "Kindle/3.0",
]  # fmt: skip
agents = st.lists(st.sampled_from(_PIECES), max_size=16).map("".join) | st.text(
    st.characters(exclude_categories=()), max_size=3000
)
_platforms = st.sampled_from(["", '"Android"', '"Windows"', '"macOS"', '"Linux"', '"Chrome OS"', '"iOS"', "?"])
hints = st.builds(
    ClientHints,
    brands=st.sampled_from(["", '"Chromium";v="142"', '"HeadlessChrome";v="142"']) | st.text(max_size=400),
    mobile=st.sampled_from(["", "?0", "?1"]) | st.text(max_size=10),
    platform=_platforms | st.text(max_size=50),
)


@pytest.fixture(autouse=True, scope="module")
def _loaded() -> None:
    """What is loaded once is not an example's cost."""
    warm_up()


def _assert_sound(agent: Agent) -> None:
    assert agent.device_type in DEVICE_TYPES | {""}
    assert agent.is_bot is (agent.device_type == "bot")
    assert agent.is_bot or not agent.is_preview
    assert not (agent.is_bot and agent.contradicts_hints)
    for family in (agent.browser_family, agent.os_family):
        assert len(family) <= 64
        assert family.isascii()
        assert "@" not in family


@given(agents, hints)
def test_any_text_gives_an_allowed_description_quickly(text: str, client_hints: ClientHints) -> None:
    spent = []
    for _ in range(3):
        started = time.thread_time()
        agent = describe_agent(text, client_hints)
        spent.append(time.thread_time() - started)
    assert min(spent) < 0.05  # the least: Python may tidy up its memory meanwhile
    _assert_sound(agent)
    assert describe_agent(text, client_hints) == agent


@given(agents, hints, st.integers(0, 1_000), st.sampled_from(sorted(DEVICE_TYPES)) | st.text(max_size=32))
def test_refining_keeps_the_vocabulary_and_is_done_once(
    text: str, client_hints: ClientHints, touch_points: int, stated: str
) -> None:
    described = describe_agent(text, client_hints)
    refined = refine(described, touch_points, stated)
    _assert_sound(refined)
    assert refine(refined, touch_points, stated) == refined
    if described.is_bot:
        assert refined == described


@given(agents)
def test_case_and_space_around_an_agent_change_no_verdict(text: str) -> None:
    assert describe_agent(f" {text.strip()} ") == describe_agent(text.strip())
