"""docs/commands.md: every command with its arguments and options, out of the command line itself."""

import sys
from collections.abc import Iterator
from typing import Final

import click

from qrumb_server.cli import cli

__all__ = ["document"]

INTRODUCTION: Final = """\
<!-- Generated from server/qrumb_server/commands/ by: make generate -->

# Commands

`qrumb COMMAND --help` says the same. Commands act on the node whose data folder they are given (`DATA_DIR`, or
`--data-dir FOLDER`); settings come as in [settings.md](settings.md), from the file that `--config FILE` names, else
from qrumb.toml in the working folder. These two options are left out below. A problem with the configuration is a
sentence, and exit code 78.
"""


def document() -> str:
    """The whole page."""
    context = click.Context(cli, info_name="qrumb")
    return "\n".join([INTRODUCTION, *(part for name in cli.list_commands(context) for part in _of(cli, name, context))])


def _of(group: click.Group, name: str, context: click.Context) -> Iterator[str]:
    command = group.get_command(context, name)
    if command is None or command.hidden:
        return
    own = click.Context(command, info_name=name, parent=context)
    usage = " ".join([own.command_path, *command.collect_usage_pieces(own)])
    yield f"## {own.command_path}\n\n{_text(command.help or '')}\n\n```text\n{usage}\n```\n"
    options = [found for found in (_option(parameter, own) for parameter in command.params) if found]
    if options:
        yield "\n".join(["| option | meaning |", "| --- | --- |", *options, ""])
    if isinstance(command, click.Group):
        for each in command.list_commands(own):
            yield from _of(command, each, own)


def _option(parameter: click.Parameter, context: click.Context) -> str:
    record = parameter.get_help_record(context)
    if record is None or parameter.name in {"config_file", "data_dir"}:
        return ""
    name, about = (" ".join(part.split()).replace("|", "&#124;").replace("<", "&lt;") for part in record)
    return f"| `{name.replace('&#124;', ', ').replace('&lt;', '<')}` | {about} |"


def _text(said: str) -> str:
    """Paragraphs of a help text; click's mark for one that keeps its lines makes it a block."""
    parts = []
    for paragraph in said.strip().split("\n\n"):
        lines = [line.strip() for line in paragraph.splitlines()]
        is_block = lines[0] == "\b"
        parts.append("\n".join(["```text", *lines[1:], "```"]) if is_block else "\n".join(lines))
    return "\n\n".join(parts).replace("<", "&lt;")


if __name__ == "__main__":
    sys.stdout.write(document())
