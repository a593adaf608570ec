"""Who waits for files in a spool is woken by them, and looks again by himself where nothing wakes him."""

import ctypes
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from qrumb_server.spool.news import SpoolNews
from tests.support.patience import patient

# Waits that end sooner; the limit of one that does not end fails its test.
LONG = patient(60)


@pytest.fixture
def news() -> Iterator[SpoolNews]:
    """That watches."""
    with SpoolNews() as watching:
        yield watching


def wait(news: SpoolNews, *folders: Path, seconds: float = LONG, blind_seconds: float = LONG) -> None:
    """In a thread, which is to come back."""
    waiting = threading.Thread(
        target=news.wait, args=(folders, seconds), kwargs={"blind_seconds": blind_seconds}, daemon=True
    )
    waiting.start()
    waiting.join(LONG / 2)
    assert not waiting.is_alive()


def test_what_came_since_the_last_wait_ends_the_next_one(news: SpoolNews, tmp_path: Path) -> None:
    """Made there, or moved there; a folder that is new to it ends it too, since something may be in it already."""
    wait(news, tmp_path)
    (tmp_path / "open").touch()
    wait(news, tmp_path)
    (tmp_path / "open").rename(tmp_path / "sealed")
    wait(news, tmp_path)
    (tmp_path / "worker-1").mkdir()
    wait(news, tmp_path)
    wait(news, tmp_path, tmp_path / "worker-1")
    (tmp_path / "worker-1" / "open").touch()
    wait(news, tmp_path, tmp_path / "worker-1")


def test_a_folder_that_was_made_anew_is_watched_anew(news: SpoolNews, tmp_path: Path) -> None:
    """Under its old name."""
    folder = tmp_path / "worker-0"
    folder.mkdir()
    wait(news, folder)
    folder.rmdir()
    folder.mkdir()
    wait(news, folder)
    (folder / "open").touch()
    wait(news, folder)


def test_a_sleep_hears_no_file_but_is_woken(news: SpoolNews, tmp_path: Path) -> None:
    """A word that came before counts."""
    wait(news, tmp_path)
    news.wake()
    news.sleep(LONG)
    (tmp_path / "open").touch()
    news.sleep(0.01)
    wait(news, tmp_path)


def test_where_the_kernel_watches_no_more_folders_it_looks_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Users have so many watches."""
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: Blind())
    with SpoolNews() as news:
        wait(news, tmp_path, blind_seconds=0.01)


class Blind:
    """A C library whose kernel has no watch left."""

    def inotify_init1(self, _flags: int) -> int:
        """Refuses."""
        return -1

    def inotify_add_watch(self, _descriptor: int, _path: bytes, _mask: int) -> int:
        """Refuses."""
        return -1


def test_nobody_is_woken_afterwards(news: SpoolNews) -> None:
    """The loader is told to stop in any moment."""
    news.__exit__()
    news.wake()
    news.__enter__()
