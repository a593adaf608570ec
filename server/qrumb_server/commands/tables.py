"""Tables on a terminal. Their texts come from senders of events, and are printed as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qrumb_server.commands.texts import visible

if TYPE_CHECKING:  # imported where a table is made: most commands, and most answers, need none
    from rich.table import Table

__all__ = ["add_line", "new_table", "print_whole"]


def new_table(*headers: str) -> Table:
    """Columns alone, without frames."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(*headers, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


def add_line(table: Table, *cells: str) -> None:
    """A row of texts as they are: [brackets] are not markup."""
    from rich.text import Text

    table.add_row(*(Text(visible(cell)) for cell in cells))


def print_whole(table: Table) -> None:
    """Print a table with nothing of it cut off."""
    from rich.console import Console

    console = Console()
    # In a narrow terminal lines wrap; numbers that are cut off would be worse.
    console.width = max(console.width, Console(width=1_000).measure(table).maximum)
    console.print(table)
