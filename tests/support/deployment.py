"""What stands in deploy/, as its own tools read it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from click.testing import CliRunner
from helm_python.chart import Chart

from qrumb_server.commands.config import config
from tests.support.patience import patient

__all__ = ["CHART", "DEPLOY", "ROOT", "objects", "rendered", "settings_from", "tool"]

ROOT: Final = Path(__file__).resolve().parent.parent.parent
DEPLOY: Final = ROOT / "deploy"
CHART: Final = DEPLOY / "helm" / "qrumb"


def tool(name: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment, in the root of the repository."""
    path = Path(sys.executable).parent / name
    return subprocess.run(
        [str(path), *arguments], capture_output=True, text=True, check=False, cwd=ROOT, timeout=patient(60), **options
    )


def rendered(values: Mapping[str, Any]) -> dict[str, str]:
    """The chart's manifests by template, without those that are empty with these values."""
    with Chart.load(CHART) as chart:
        texts = chart.render(dict(values), name="shop", namespace="collecting")
    return {name.rpartition("/")[2]: text for name, text in texts.items() if text.strip()}


def objects(texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    """What manifests hold, one object after another."""
    for text in texts:
        yield from (found for found in yaml.safe_load_all(text) if found)


def settings_from(environment: Mapping[str, str]) -> dict[str, Any]:
    """The settings that a node has in this environment; fails where it would refuse to start."""
    clean = {name: None for name in os.environ if name.startswith("QRUMB_")}
    done = CliRunner().invoke(config, ["show"], env={**clean, **environment})
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    shown: dict[str, Any] = json.loads(done.output)
    return shown
