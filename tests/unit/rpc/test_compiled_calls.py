"""Whether there is a compiled way."""

import pytest

from qrumb_server.rpc import hotpath


def test_a_package_of_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that an earlier set-up has left: Python judges all events until the next one."""
    monkeypatch.setattr(hotpath, "INTERFACE", hotpath.SPOKEN - 1)
    assert not hotpath.is_built()
