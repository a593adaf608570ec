"""What a start says."""

from pathlib import Path
from typing import Literal

import pytest

from qrumb_server.commands.serve import first_steps
from qrumb_server.config.settings import Settings

COLLECT = "http://127.0.0.1:8080/collect"


@pytest.mark.parametrize(
    ("sites", "access", "site_id"),
    [
        ("[demo]\n[art]\n", "keys", "demo"),
        ("[shop]\n[gallery]\n", "keys", "gallery"),
        ("", "keys", None),
        ("", "open", "demo"),
    ],
)
def test_the_first_event_that_is_suggested_is_of_a_site_that_is_served(
    tmp_path: Path, sites: str, access: Literal["keys", "open"], site_id: str | None
) -> None:
    (tmp_path / "sites.toml").write_text(sites)
    lines = first_steps(Settings(data_dir=tmp_path, access=access), COLLECT)
    if site_id is None:
        assert not lines
    else:
        assert f'"site_id": "{site_id}"' in next(line for line in lines if COLLECT in line)
