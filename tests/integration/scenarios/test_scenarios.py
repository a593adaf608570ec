"""Attribution, identity, consent, duplicates, fraud, replay and erasure, as tests/golden/scenarios tells them.

After each of them the ledger balances, every event counts once, consent is kept and links between users are flat.
"""

import tempfile
import time
from itertools import count
from pathlib import Path

import pytest

from qrumb_server.model import FraudReason, SitePolicy
from qrumb_server.pipeline.stamp import Enrichers
from qrumb_server.store.embedded import EmbeddedStore
from tests.support.mini_node import SettableClock, running_mini_node
from tests.support.scenario import FILES, Play, Scenario, load_scenarios
from tests.support.scenario_checks import check_expectations, check_gone, check_promises

pytestmark = pytest.mark.chdb

DAY_MS = 86_400_000
NOON_MS = DAY_MS // 2
SCENARIOS = [(path.stem, scenario) for path in FILES for scenario in load_scenarios(path)]
numbers = count(1)


@pytest.mark.parametrize("scenario", [pytest.param(one, id=f"{theme}: {one.name}") for theme, one in SCENARIOS])
async def test_scenario(scenario: Scenario, store: EmbeddedStore, enrichers: Enrichers) -> None:
    """In this order, by these clocks: these rows, receipts and counts."""
    # Noon of yesterday: recent enough for every retention, and the same distance from a minute's begin each time.
    start_ms = int(time.time() * 1000) // DAY_MS * DAY_MS - DAY_MS + NOON_MS
    policies: dict[str, SitePolicy] = {}
    # A short path: a socket's name has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="qrumb-") as folder:
        clock = SettableClock(start_ms)
        more = {"policies": policies, "enrichers": enrichers}
        async with running_mini_node(Path(folder), store, clock, **more) as node:
            play = Play(node=node, prefix=f"s{next(numbers)}", start_ms=start_ms, policies=policies)
            play.set_policy(scenario.policy)
            for number, (verb, argument, options) in enumerate(scenario.steps, 1):
                try:
                    if verb == "expect":
                        await check_expectations(play, argument, options.get("site"))
                    else:
                        await play.take(verb, argument, options)
                        if "gone" in options:
                            check_gone(play, options["gone"])
                except Exception as error:
                    error.add_note(f"step {number}: {verb} {argument}")
                    raise
            await node.load()
            await check_promises(play)


def test_there_are_scenarios_for_every_theme_and_reason() -> None:
    """A file that was lost, or a reason without a scenario, would be noticed."""
    assert len(SCENARIOS) >= 80
    text = "\n".join(path.read_text(encoding="utf-8") for path in FILES)
    assert [reason for reason in FraudReason if f"[{reason}" not in text and f", {reason}" not in text] == []
