"""URLs as they may be kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrumb_server.pipeline.urls import bare, is_page_url, is_referrer, without_user_info


@pytest.mark.parametrize(
    ("url", "left"),
    [
        ("https://user:pw@shop.example/a", "https://shop.example/a"),
        ("https://user@shop.example", "https://shop.example"),
        ("https://:pw@shop.example?x", "https://shop.example?x"),
        ("https://a@b@shop.example/", "https://shop.example/"),
        ("https://us&er:p;w@shop.example/", "https://shop.example/"),
        ("https://jane%40gmail.com:pw@shop.example/", "https://shop.example/"),
        ("//user:pw@shop.example/", "//shop.example/"),
        (
            "https://shop.example/?next=https://user:pw@other.example/x",
            "https://shop.example/?next=https://other.example/x",
        ),
        (
            "https://shop.example/?next=https%3A%2F%2Fuser%3Apw%40other.example%2Fx",
            "https://shop.example/?next=https%3A%2F%2Fother.example%2Fx",
        ),
        (
            "https://shop.example/?next=https%253A%252F%252Fuser%253Apw%2540other.example",
            "https://shop.example/?next=https%253A%252F%252Fother.example",
        ),
        ("https://user%40shop.example/a", "https://shop.example/a"),
        (
            "https://shop.example/?next=https://user%2540other.example",
            "https://shop.example/?next=https://other.example",
        ),
        (
            "https://shop.example/?next=https%3A%2F%2Fuser@other.example",
            "https://shop.example/?next=https%3A%2F%2Fother.example",
        ),
        ("https://shop.example/#u=ftp://user:pw@files.example", "https://shop.example/#u=ftp://files.example"),
    ],
)
def test_user_info_goes_wherever_it_is(url: str, left: str) -> None:
    assert without_user_info(url) == left


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/@user",
        "https://shop.example/a?b=c@d",
        "https://shop.example?b=c@d",
        "https://shop.example#c@d",
        "https://cdn.example/npm/vue@3.4.21/dist/vue.js",
        "https://shop.example/?next=https://other.example/&mail=a@b",
        "https://shop.example/?next=https://other.example&mail=a@b",
        "https://shop.example/?next=https%3A%2F%2Fother.example%2F%40user",
        "https://shop.example/?next=https%3A%2F%2Fother.example%26m%3Da%40b",
        "https://shop.example/?next=https://other.example%2F%40user",
        "https://maps.example/@48.2082,16.3738,15z",
    ],
)
def test_other_signs_stay(url: str) -> None:
    assert without_user_info(url) == url


@given(st.from_regex(r"https?://[ab:@/?#&%=.]{0,30}(://|%3A%2F%2F)?[ab:@/?#&%40.]{0,30}", fullmatch=True))
def test_taking_out_is_done_once(url: str) -> None:
    """Nothing is left for a second time, and no @ in the authority."""
    once = without_user_info(url)
    assert without_user_info(once) == once
    authority = once.partition("//")[2].partition("/")[0].partition("?")[0].partition("#")[0]
    assert "@" not in authority


@pytest.mark.parametrize("piece", ["://", "://a", "%3A%2F%2F", "%3A%2F%2Fa%40", "a@", "%25", "%253A%252F%252F", "//"])
def test_time_is_linear(piece: str) -> None:
    """Ends within the test's time."""
    without_user_info("https://" + piece * 200_000 + "40@")


def test_bare_is_without_query_fragment_and_user_info() -> None:
    assert bare("https://u:p@shop.example:8443/a/b?q=1#f") == "https://shop.example:8443/a/b"
    assert bare("https://u:p@[x/?q=1#f") == "https://[x/"


@pytest.mark.parametrize(
    ("url", "page", "referrer"),
    [
        ("https://a", True, True),
        ("HTTP://A/ü?x", True, True),
        ("android-app://com.example/", False, True),
        ("ANDROID-APP://com.example/", False, False),
        ("https://", False, False),
        ("https:///x", False, False),
        ("https://?x", False, False),
        (" https://a", False, False),
        ("https://a\n", False, False),
        ("null", False, False),
        ("about:client", False, False),
        ("capacitor://localhost", False, False),
    ],
)
def test_which_are_usable(url: str, page: bool, referrer: bool) -> None:
    assert (bool(is_page_url(url)), bool(is_referrer(url))) == (page, referrer)
