"""Keys, origins and quotas, each by itself."""

import re

import pytest

from qrumb.signing import is_signed, sign_scan_session_id
from qrumb_server.access.keys import Key, Scope, id_of, is_key, key_hash, new_key
from qrumb_server.access.origins import Origins, check_pattern
from qrumb_server.access.quota import Quota, Quotas


def test_keys_are_recognised_and_only_their_hash_is_kept() -> None:
    key = new_key()
    assert is_key(key)
    assert re.fullmatch(r"qk_[a-z0-9]{8}_[A-Za-z0-9]{40}", key)
    assert key != new_key()
    kept = Key(id=id_of(key), hash=key_hash(key), scopes=frozenset({Scope.COLLECT}))
    assert key not in repr(kept)
    assert kept.matches(key)
    assert not kept.matches(new_key())
    assert not kept.matches("")
    assert not kept.matches("ключ")


@pytest.mark.parametrize(
    ("pattern", "allowed", "refused"),
    [
        (
            "https://shop.example",
            ["https://shop.example"],
            [
                "http://shop.example",
                "https://shop.example:8443",
                "https://a.shop.example",
                "https://shop.example.evil.example",
                "https://shop.example/",
                "https://shopxexample",
                "HTTPS://SHOP.EXAMPLE",
                "null",
                "https://shop.example\n",
            ],
        ),
        (
            "https://*.shop.example",
            ["https://a.shop.example", "https://a.b.shop.example", "https://xn--bcher-kva.shop.example"],
            [
                "https://shop.example",
                "https://.shop.example",
                "https://evilshop.example",
                "https://evil.example/.shop.example",
                "https://evil.example#.shop.example",
                "https://evil.example?.shop.example",
                "https://user@a.shop.example",
                "https://a.shop.example:444",
                "https://a.shop.example.evil.example",
                "https://a.shop.example\n",
            ],
        ),
        (
            "http://localhost:*",
            ["http://localhost", "http://localhost:3000"],
            ["https://localhost:3000", "http://localhost:3000.evil.example", "http://localhost:", "http://localhost.evil"],
        ),
        ("http://[::1]:8080", ["http://[::1]:8080"], ["http://[::1]"]),
        ("null", ["null"], ["https://null", ""]),
        ("*", ["https://anything.example", "null", "chrome-extension://abc"], []),
    ],
)  # fmt: skip
def test_origins(pattern: str, allowed: list[str], refused: list[str]) -> None:
    origins = Origins([check_pattern(pattern)])
    assert [origin for origin in allowed if not origins.allow(origin)] == []
    assert [origin for origin in refused if origins.allow(origin)] == []
    assert not Origins([]).allow("https://shop.example")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("HTTPS://Shop.Example", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("https://*.shop.example:8443", "https://*.shop.example:8443"),
    ],
)
def test_patterns_become_what_browsers_send(written: str, meant: str) -> None:
    assert check_pattern(written) == meant


@pytest.mark.parametrize(
    "pattern",
    ["", "shop.example", "https://", "https://shop.example/", "https://*", "https://*shop.example", "https://a.*.example",
     "ftp://shop.example", "https://shop.example:", "https://bücher.example", "https://*.*.example", "https://a b"],
)  # fmt: skip
def test_patterns_that_fit_nothing_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="should be an origin"):
        check_pattern(pattern)


def test_a_quota_lets_a_burst_through_and_then_its_rate() -> None:
    now = 100.0
    quota = Quota(events_per_second=10, burst=20)
    quotas = Quotas(share=1, monotonic=lambda: now)
    assert [quotas.take(("a", None), 5, quota) for _ in range(4)] == [0.0] * 4
    assert quotas.take(("a", None), 1, quota) == pytest.approx(0.1)
    assert quotas.take(("b", None), 20, quota) == 0.0, "each site has its own"
    now += 0.125
    assert quotas.take(("a", None), 1, quota) == 0.0
    assert quotas.take(("a", None), 3, quota) == pytest.approx(0.275)
    now += 1_000
    assert quotas.take(("a", None), 21, quota) == 0.0, "more than the burst passes when nothing was sent for long"
    assert quotas.take(("a", None), 1, quota) == pytest.approx(0.2), "and is owed"


def test_workers_share_a_quota() -> None:
    quotas = Quotas(share=0.25, monotonic=lambda: 0.0)
    quota = Quota(events_per_second=4, burst=8)
    assert [quotas.take(("a", None), 1, quota) for _ in range(3)] == [0.0, 0.0, pytest.approx(1.0)]


def test_signed_sessions() -> None:
    secret = "s" * 32
    signed = sign_scan_session_id(secret, "shop", "scan.1")
    assert signed.startswith("scan.1.")
    assert len(signed) == len("scan.1.") + 22
    assert is_signed(secret, "shop", signed)
    for session_id in ("", "scan.1", signed + "x", signed[:-1], "scan.2." + signed[-22:], ".", "é." + signed[-22:]):
        assert not is_signed(secret, "shop", session_id)
    assert not is_signed(secret, "blog", signed)
    assert not is_signed("t" * 32, "shop", signed)
    assert len(sign_scan_session_id(secret, "shop", "n" * 105)) == 128
    for name in ("", "n" * 106):
        with pytest.raises(ValueError, match="1 to 105"):
            sign_scan_session_id(secret, "shop", name)


def test_the_signature_is_the_documented_one() -> None:
    """A redirect in any language makes the same."""
    assert sign_scan_session_id("0123456789abcdef0123456789abcdef", "shop", "scan-1") == "scan-1.PFPaSvRbp4t4owxmLLTe-w"


def test_a_quota_is_exhausted_for_long_while_every_call_is_refused_and_made_again() -> None:
    """Not by a burst, not once a call is taken, and not where the sender has given up."""
    now = 0.0
    quotas = Quotas(share=1, monotonic=lambda: now)
    tiny = Quota(events_per_second=1, burst=1)
    assert quotas.take(("s", None), 500, tiny) == 0.0  # owed: 499 seconds without room
    for now in range(1, 60):  # noqa: B007  (the quotas' clock reads it)
        assert quotas.take(("s", None), 1, tiny) > 0
        assert quotas.exhausted() == set()
    now = 61.0
    assert quotas.take(("s", None), 1, tiny) > 0
    assert quotas.exhausted() == {"s"}
    now = 121.0
    assert quotas.exhausted() == set()
    assert quotas.take(("s", None), 1, tiny) > 0
    assert quotas.exhausted() == {"s"}
    now = 600.0
    assert quotas.take(("s", None), 1, tiny) == 0.0
    assert quotas.exhausted() == set()
