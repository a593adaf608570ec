"""One site's flood leaves room for the others, and costs no memory."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from qrumb_server.errors import SiteShareError, SpoolFullError
from qrumb_server.spool import SpoolWriter, list_sealed, release
from qrumb_server.spool.quota import SiteShares
from tests.support.faulty_filesystem import FaultyFileSystem

ROOT = Path("/spool")
OpenSpool = Callable[..., Coroutine[Any, Any, SpoolWriter]]
RECORD = b"x" * 1000
HALF = 0.5
PATIENCE = timedelta(seconds=10)


async def flood(writer: SpoolWriter, site_id: str, *error: type[Exception]) -> int:
    """Append until refused; returns how many appends were taken."""
    taken = 0
    with pytest.raises(error):
        while taken < 2000:
            await writer.append([RECORD], [site_id])
            taken += 1
    return taken


async def test_a_flood_is_held_at_its_share_and_others_go_on(open_spool: OpenSpool) -> None:
    """The loud site gets half of the million bytes; the quiet one fills the rest up to its own share."""
    writer = await open_spool(site_max_share=HALF)
    loud = await flood(writer, "loud", SiteShareError)
    assert 440 < loud < 500
    quiet = await flood(writer, "quiet", SiteShareError, SpoolFullError)
    assert 440 < quiet <= 500


async def test_all_room_is_one_sites_where_a_share_is_all(open_spool: OpenSpool) -> None:
    """A node with one site may turn the rule off."""
    writer = await open_spool(site_max_share=1.0)
    assert await flood(writer, "only", SpoolFullError) > 900


async def test_a_small_share_does_not_count_while_there_is_plenty_of_room(open_spool: OpenSpool) -> None:
    """Up to a quarter of the spool is anybody's."""
    writer = await open_spool(site_max_share=0.01)
    assert 200 < await flood(writer, "s", SiteShareError) < 250


async def test_one_member_of_a_group_is_refused_and_the_others_are_kept(open_spool: OpenSpool) -> None:
    """Callers that share a write do not share a verdict."""
    writer = await open_spool(site_max_share=HALF)
    await flood(writer, "loud", SiteShareError)
    sites = ["loud", "quiet", "loud", "other"]
    answers = await asyncio.gather(*(writer.append([RECORD], [site]) for site in sites), return_exceptions=True)
    assert [type(answer) for answer in answers] == [SiteShareError, type(None), SiteShareError, type(None)]


async def test_a_batch_of_several_sites_is_kept_whole_or_not_at_all(open_spool: OpenSpool) -> None:
    """The answer is for the request: half of a batch would be kept twice when it is sent again."""
    writer = await open_spool(site_max_share=HALF)
    await flood(writer, "loud", SiteShareError)
    before = writer.stats().records_appended
    with pytest.raises(SiteShareError):
        await writer.append([RECORD] * 2, ["quiet", "loud"])
    assert writer.stats().records_appended == before


async def test_released_segments_give_their_bytes_back(open_spool: OpenSpool, filesystem: FaultyFileSystem) -> None:
    """The loader sends no word: the worker sees that they are gone."""
    writer = await open_spool(site_max_share=HALF)
    await flood(writer, "loud", SiteShareError)
    refs = list_sealed(ROOT, filesystem)
    for ref in refs[: len(refs) // 2]:
        release(ref, filesystem)
    again = await flood(writer, "loud", SiteShareError)
    assert sum(ref.rows for ref in refs[: len(refs) // 2]) - 20 <= again
    await writer.seal()
    for ref in list_sealed(ROOT, filesystem):
        release(ref, filesystem)
    assert 440 < await flood(writer, "loud", SiteShareError) < 500


async def test_what_a_predecessor_left_cannot_be_filled_up_by_one_site(open_spool: OpenSpool) -> None:
    """Whose it is cannot be known after a restart; shares are of what is left, so others always find room."""
    writer = await open_spool(site_max_share=HALF)
    await flood(writer, "loud", SiteShareError)
    await writer.close()
    writer = await open_spool(site_max_share=HALF)
    assert 200 < await flood(writer, "loud", SiteShareError) < 280
    await writer.append([RECORD], ["quiet"])


async def test_a_disk_with_little_room_is_shared_as_well(open_spool: OpenSpool, filesystem: FaultyFileSystem) -> None:
    """A share is of what can be taken, not of a limit that the disk never grants."""
    filesystem.capacity_bytes = 300_000
    writer = await open_spool(site_max_share=HALF, min_free_bytes=100_000)
    assert await flood(writer, "loud", SiteShareError) < 110
    await writer.append([RECORD], ["quiet"])


def test_made_up_sites_cost_no_memory() -> None:
    """A site without weight is forgotten; one with weight is charged for what it holds."""
    shares = SiteShares(max_share=HALF, max_bytes=128 * 10_000)
    for number in range(20_000):
        shares.add(f"{number:06}", {f"made-up-{number}": 10, "real": 40})
    assert len(shares._totals) < 1_000
    assert shares._totals["real"] == 800_000
    shares.look({"999999": 1})
    assert not shares._totals


async def test_a_site_is_told_as_turned_away_until_it_would_be_taken_again(
    open_spool: OpenSpool, filesystem: FaultyFileSystem
) -> None:
    """Even where it sends nothing more: the loader makes the room."""
    writer = await open_spool(site_max_share=HALF, rescan_after=timedelta(0))
    assert (await writer.look(PATIENCE)).sites_at_share == ()
    await flood(writer, "loud", SiteShareError)
    await writer.append([RECORD], ["quiet"])
    assert (await writer.look(PATIENCE)).sites_at_share == ("loud",)
    await writer.seal()
    for ref in list_sealed(ROOT, filesystem):
        release(ref, filesystem)
    while (await writer.look(PATIENCE)).sites_at_share:  # a folder is not looked at all the time
        await asyncio.sleep(0.01)


async def test_an_empty_folder_is_looked_at_again_once_it_was_written_to(
    open_spool: OpenSpool, filesystem: FaultyFileSystem
) -> None:
    """A worker that nobody calls says each second how its folder is."""
    writer = await open_spool(site_max_share=HALF, rescan_after=timedelta(0))
    looks, real = [], filesystem.free_bytes
    filesystem.free_bytes = lambda path: looks.append(path) or real(path)  # type: ignore[func-returns-value,method-assign]
    for _ in range(3):
        await writer.look(PATIENCE)
    assert len(looks) == 1
    await writer.append([RECORD], ["quiet"])
    looks.clear()
    for _ in range(3):
        await writer.look(PATIENCE)
    assert len(looks) == 3


async def test_the_error_says_which_site_it_was(open_spool: OpenSpool) -> None:
    """Of several in one call."""
    writer = await open_spool(site_max_share=HALF)
    await flood(writer, "loud", SiteShareError)
    with pytest.raises(SiteShareError) as refused:
        await writer.append([RECORD] * 2, ["quiet", "loud"])
    assert refused.value.site_id == "loud"


async def test_a_disk_that_hangs_holds_up_no_look(open_spool: OpenSpool, filesystem: FaultyFileSystem) -> None:
    """The answer is the last one, and since when the disk is silent."""
    let_go = threading.Event()
    writer = await open_spool(site_max_share=HALF)
    real, filesystem.free_bytes = filesystem.free_bytes, lambda path: real(path) if let_go.wait(30) else 0  # type: ignore[method-assign]
    await asyncio.sleep(0.2)  # until the folder may be looked at again
    assert (await writer.look(timedelta(milliseconds=10))).sites_at_share == ()
    assert writer.disk_silent_for > timedelta(0)
    let_go.set()
    await writer.look(PATIENCE)
    assert writer.disk_silent_for == timedelta(0)


def shared_by(max_share: float, *rounds: dict[str, int]) -> SiteShares:
    """Shares of a folder of 1,280,000 bytes; each round is a group of its own."""
    shares = SiteShares(max_share=max_share, max_bytes=1_280_000)
    for number, sites in enumerate(rounds):
        shares.add(f"{number:06}", sites)
    return shares


@pytest.mark.parametrize(
    ("shares", "factor"),
    [
        pytest.param(shared_by(HALF, {"loud": 320_000}), 0.0, id="one site alone"),
        pytest.param(shared_by(1.0, {"loud": 320_000}), 1.0, id="one site that may have all"),
        pytest.param(shared_by(HALF, {"a": 160_000, "b": 160_000}), 1.0, id="two that fill it together"),
        # a has its share after 680 of the missing 960 KB, then b goes on at half of the speed.
        pytest.param(
            shared_by(HALF, {"a": 280_000}, *[{"a": 10_000, "b": 10_000}] * 2), (680 + 2 * 280) / 960, id="one is ahead"
        ),
        pytest.param(shared_by(HALF), 1.0, id="nothing is known"),
    ],
)
def test_a_forecast_knows_that_shares_hold_growth_back(shares: SiteShares, factor: float) -> None:
    """What one site adds ends at its share."""
    assert shares.forecast_factor(used_bytes=320_000, room_bytes=1_280_000) == pytest.approx(factor, rel=0.01)
