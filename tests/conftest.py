"""For every test: the guard of support/guard.py, a limit of time as patient as the machine is slow, an order of files.

The folder of the longest file comes first, and the longest file first in each, by its slow tests, of which ten with an
embedded database are one; then folders that start the most: so no process is left alone with a long one at the end. The
files of a folder stay together: what they share, such as a node, is ended after the last of them and not at the end of
all. No property test has a deadline, because a loaded machine keeps none.
"""

from collections import Counter
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
    """After folders and files were shuffled; the order within a file stays."""
    usual = float(config.getini("timeout"))
    for item in items:
        marker = item.get_closest_marker("timeout")
        item.add_marker(pytest.mark.timeout(patient(marker.args[0] if marker else usual)), append=False)
    slow, embedded, heavy = (
        Counter(item.path for item in items if any(map(item.get_closest_marker, markers)))
        for markers in (("slow",), ("chdb",), ("stack", "chdb", "clickhouse_server", "envoy"))
    )
    # A file is for one process: some hundred scenarios would be its alone.
    long = {path: slow[path] + embedded[path] // 10 for path in embedded | slow}
    paths = dict.fromkeys(item.path for item in items)
    folders = dict.fromkeys(path.parent for path in paths)
    weights = {
        folder: [
            -sized(tests.get(path, 0) for path in paths if path.parent == folder)
            for sized, tests in ((max, long), (sum, long), (sum, heavy))
        ]
        for folder in folders
    }
    places = {folder: place for place, folder in enumerate(sorted(folders, key=weights.__getitem__))}
    order = {path: (places[path.parent], -long.get(path, 0)) for path in paths}
    items.sort(key=lambda item: order[item.path])
