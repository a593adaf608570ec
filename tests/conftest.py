"""For every test: the guard of support/guard.py, a limit of time as patient as the machine is slow, an order of files.

Files with slow tests come first, so that no process is left alone with one at the end. No property test has a deadline,
because a loaded machine keeps none.
"""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support import guard
from tests.support.patience import patient

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_configure() -> None:
    """Look after what tests touch."""
    guard.set_up()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Say whose turn it is."""
    guard.watched(item)
    try:
        return (yield)
    finally:
        guard.watched(None)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """After files were shuffled; the order within a file stays."""
    usual = float(config.getini("timeout"))
    for item in items:
        marker = item.get_closest_marker("timeout")
        item.add_marker(pytest.mark.timeout(patient(marker.args[0] if marker else usual)), append=False)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
