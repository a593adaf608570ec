"""Tables print what senders wrote, and do nothing of it."""

import pytest

from qrumb_server.commands.tables import add_line, new_table, print_whole
from qrumb_server.commands.texts import no_formula


@pytest.mark.parametrize(
    ("sent", "printed"),
    [
        ("a\x1b[31mred\x00", r"a\u001b[31mred\u0000"),
        ("x[/b][red]", "x[/b][red]"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("two\nlines", r"two\u000alines"),
        ("poster-7 \u0634 \u200d", "poster-7 \u0634 \u200d"),
    ],
)
def test_a_text_is_printed_as_it_is(capsys: pytest.CaptureFixture[str], sent: str, printed: str) -> None:
    table = new_table("code", "scans")
    add_line(table, sent, "1")
    print_whole(table)
    assert f" {printed} " in f" {capsys.readouterr().out.splitlines()[3].strip()} "


@pytest.mark.parametrize(
    ("sent", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("@sum", "'@sum"),
        ("+1+1", "'+1+1"),
        ("-1+1", "'-1+1"),
        ("\t=1", "'\t=1"),
        ("-33.33", "-33.33"),
        ("-5", "-5"),
        ("a=1", "a=1"),
        ("", ""),
    ],
)
def test_a_cell_of_a_spreadsheet_is_no_formula(sent: str, cell: str) -> None:
    assert no_formula(sent) == cell
