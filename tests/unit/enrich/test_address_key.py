"""The keyed hash of an address: the same within a day and a node, telling nothing anywhere else."""

import pytest

from qrumb_server.enrich.address_key import KEY_BYTES, address_key

DAY_MS = 86_400_000
NOON_MS = 20_000 * DAY_MS + DAY_MS // 2
SECRET, OTHER = bytes(KEY_BYTES), b"\1" * KEY_BYTES


def test_one_address_has_one_key_for_a_day() -> None:
    """From midnight to midnight, UTC; in each worker of the node."""
    first, second = address_key(SECRET), address_key(SECRET)
    key = first("81.2.69.142", NOON_MS)
    assert len(key) == 16
    assert int(key, 16) >= 0
    assert second("81.2.69.142", NOON_MS + DAY_MS // 2 - 1) == key
    assert first("81.2.69.142", NOON_MS + DAY_MS // 2) != key
    # Back to the day before, as at a late segment's replay.
    assert first("81.2.69.142", NOON_MS) == key


def test_another_address_or_secret_has_another_key() -> None:
    """The secret is not written down, so a key leads nowhere."""
    hashed = address_key(SECRET)
    assert hashed("81.2.69.142", NOON_MS) != hashed("81.2.69.143", NOON_MS)
    assert hashed("81.2.69.142", NOON_MS) != address_key(OTHER)("81.2.69.142", NOON_MS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2a01:e00:1:2::1", "2a01:e00:1:2:ffff:ffff:ffff:ffff"),
        ("2A01:0E00:1:2::1", "2a01:e00:1:2::1"),
        ("::ffff:81.2.69.142", "81.2.69.142"),
        ("::ffff:5102:458e", "81.2.69.142"),
    ],
)
def test_what_is_one_household_has_one_key(one: str, other: str) -> None:
    """A /64 of IPv6; and IPv4 in whichever dress."""
    hashed = address_key(SECRET)
    assert hashed(one, NOON_MS) == hashed(other, NOON_MS) != ""


def test_the_next_network_has_another_key() -> None:
    """Also where an IPv6 network's bytes could pass for mapped ones."""
    hashed = address_key(SECRET)
    assert hashed("2a01:e00:1:2::1", NOON_MS) != hashed("2a01:e00:1:3::1", NOON_MS)
    assert len({hashed(address, NOON_MS) for address in ("::", "::1", "::2:0:0:0:0", "0.0.0.0")}) == 3


@pytest.mark.parametrize(
    "address", ["", "nope", "81.2.69", "081.2.69.142", "81.2.69.142:80", "[::1]", "1\0.2.3.4", "\ud800", "::g", "é"]
)
def test_what_is_no_address_has_no_key(address: str) -> None:
    """Nor does it raise."""
    assert address_key(SECRET)(address, NOON_MS) == ""
