"""The loader's steps in the spool are repeated until the disk allows them, and the waiting is said while it lasts."""

from pathlib import Path

import pytest

from qrumb_server.loader.progress import Progress
from qrumb_server.loader.spool_access import SpoolAccess

ROOT = Path("/data/spool")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/data/spool", "the folder of the spool"),
        ("/data/spool/worker-1", "worker-1's folder of the spool"),
        ("/data/spool/worker-1/a.3.sealed", "a file in worker-1's folder of the spool"),
        ("/elsewhere", "the spool"),
    ],
)
def test_a_step_is_repeated_and_its_fault_said_without_its_path(path: str, place: str) -> None:
    """The reason names the kind of place and what the system said; it is gone with the fault."""
    progress = Progress()
    pauses: list[float] = []
    said: list[list[str]] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        said.append(progress.reasons)

    def step() -> str:
        if len(pauses) < 5:
            raise PermissionError(13, "Permission denied", path)
        return "done"

    assert SpoolAccess(ROOT, progress=progress, sleep=sleep).until_allowed(step) == "done"
    reason = f"the loader waits, since it cannot use {place}: permission denied; events are kept meanwhile"
    assert said == [[reason]] * 5
    assert max(pauses) <= 2
    assert progress.reasons == []


def test_a_stop_ends_the_waiting() -> None:
    """What `sleep` raises comes out."""

    def sleep(_seconds: float) -> None:
        raise KeyError

    def step() -> None:
        raise PermissionError(13, "Permission denied", "/data/spool")

    with pytest.raises(KeyError):
        SpoolAccess(ROOT, progress=Progress(), sleep=sleep).until_allowed(step)
