"""docs/settings.md: every setting with its default and meaning, out of the settings' own docstrings."""

import sys
from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel

from qrumb_server.config import Settings
from qrumb_server.config.describe import Described, describe
from qrumb_server.config.sites import SiteEntry

__all__ = ["document"]

INTRODUCTION: Final = """\
<!-- Generated from server/qrumb_server/config/ by: make generate -->

# Settings

A setting comes from the first of: an option of the command, the environment (`QRUMB_HTTP_PORT`; of a group
`QRUMB_SPOOL__MAX_BYTES`), the file (`--config`, or qrumb.toml in the working folder), the default. An unknown name is
an error. Durations are ISO 8601 (`"PT30S"`) or seconds. `qrumb config show` prints what is in force, `qrumb config show
--commented` the same as a qrumb.toml with these texts.
"""
SITES: Final = """\
## sites.toml

One table per site, `[SITE]`; what a site does not state is as in the group `site` above. `qrumb sites` edits the file,
and `qrumb config sites` prints a commented one.
"""


def document() -> str:
    """The whole page."""
    return "\n".join(
        [
            INTRODUCTION,
            *_tables(Settings, "##"),
            SITES,
            *_tables(SiteEntry, "###"),
        ]
    )


def _tables(model: type[BaseModel], heading: str) -> Iterator[str]:
    """One table for what is at the top, then one per group."""
    is_open = False
    for one in describe(model):
        if one.header:
            yield f"\n{heading} `{one.header}`\n\n{one.text}\n"
            is_open = False
            continue
        if not is_open:
            yield "| name | default | meaning |\n| --- | --- | --- |"
            is_open = True
        yield _row(one)
    yield ""


def _row(one: Described) -> str:
    default = "required" if one.is_required else f"`{one.default}`" if one.default else ""
    cells = (one.path.rpartition(".")[2], default, one.text)
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


if __name__ == "__main__":
    sys.stdout.write(document())
