"""`qrumb doctor`: is this machine, and this installation, fit for a node; and what to do where not."""

import json
import sys
from dataclasses import asdict
from typing import Final

import click

from qrumb_server.app.clock import SystemClock
from qrumb_server.app.doctor import Finding, Level, examine
from qrumb_server.commands.options import format_option, with_settings
from qrumb_server.config import Settings

__all__ = ["doctor"]

COLORS: Final = {Level.WELL: "green", Level.NOTE: "yellow", Level.FAULT: "red"}


@click.command()
@format_option("text", "json", about="text for people. ")
@with_settings
def doctor(settings: Settings, output_format: str | None) -> None:
    """Examine this machine and the settings, before the first start or when something is wrong.

    Looks at ports, disk, clock, limits, ClickHouse, sites, certificates and traces; says per line what was found and
    what to do. Changes nothing. Exits with 1 if a node would not start or not keep its promises.
    """
    findings = []
    for finding in examine(settings, SystemClock()):
        findings.append(finding)
        if output_format != "json":
            _say(finding)
    if output_format == "json":
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    sys.exit(any(finding.level is Level.FAULT for finding in findings))


def _say(finding: Finding) -> None:
    fix = f"\n{'':6}{'':14}do: {finding.fix}" if finding.fix else ""
    level = click.style(f"{finding.level:6}", fg=COLORS[finding.level])
    click.echo(f"{level}{finding.subject:14}{finding.found}{fix}")
