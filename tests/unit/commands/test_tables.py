"""Tables print what senders wrote, and do nothing of it."""

import pytest

from qrumb_server.commands.tables import add_line, new_table, print_whole


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
