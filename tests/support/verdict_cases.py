"""The tables of tests/golden/verdicts as events and expectations; their README.md describes the notation."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

__all__ = ["FILES", "UNSEEN", "Case", "expand", "load_cases"]

FILES = tuple(sorted((Path(__file__).resolve().parent.parent / "golden" / "verdicts").glob("*.yaml")))
CASE_KEYS = {"name", "event", "without", "violations", "warnings", "row", "only", "transcoder"}
UNSEEN = "unseen"
UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
NOW = re.compile(r"\{now([+-][0-9]+)([dhms])\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One event and its verdict."""

    name: str
    source: str
    event: Mapping[str, Any]
    violations: Sequence[tuple[str, str]]
    """Field path and reason, sorted."""
    warnings: Sequence[tuple[str, str]]
    """Field path and code, sorted."""
    row: Mapping[str, Any]
    """Columns to look at."""
    only: str
    transcoder: str
    """What Envoy's own transcoding makes of it: words of its refusal, or UNSEEN; empty: the same verdict."""

    @property
    def transports(self) -> tuple[str, ...]:
        """Where the case can be said."""
        return (self.only,) if self.only else ("http", "grpc")


def load_cases(path: Path, now: datetime) -> list[Case]:
    """The cases of one file; `now` is what its times are counted from."""
    table = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    cases = []
    for written in table["cases"]:
        unknown = written.keys() - CASE_KEYS
        assert not unknown, f"{path.name}, {written['name']}: no such key: {unknown}"
        base = {key: value for key, value in table["base"].items() if key not in written.get("without", ())}
        cases.append(
            Case(
                name=str(written["name"]),
                source=table["source"],
                event=expand({**base, **written.get("event", {})}, now),
                violations=sorted(_pairs(written.get("violations", {}))),
                warnings=sorted(_pairs(written.get("warnings", {}))),
                row=expand(written.get("row", {}), now),
                only=written.get("only", ""),
                transcoder=written.get("transcoder", ""),
            )
        )
    names = [case.name for case in cases]
    assert len(names) == len(set(names)), f"{path.name}: two cases of one name"
    return cases


def expand(value: Any, now: datetime) -> Any:
    """The value that compact notation stands for."""
    if isinstance(value, str):
        return NOW.sub(lambda match: _moved(now, *match.groups()), value)
    if isinstance(value, list):
        return [expand(item, now) for item in value]
    if not isinstance(value, dict):
        return value
    if "times" in value:
        times = value["times"]
        if "repeat" in value:
            return value.get("before", "") + value["repeat"] * times + value.get("after", "")
        if "list_of" in value:
            return [expand(value["list_of"], now)] * times
        return {f"k{number}": expand(value["object_of"], now) for number in range(times)}
    return {key: expand(item, now) for key, item in value.items()}


def _moved(now: datetime, amount: str, unit: str) -> str:
    return (now + timedelta(**{UNITS[unit]: int(amount)})).strftime("%Y-%m-%dT%H:%M:%S")


def _pairs(written: Mapping[str, str | list[str]]) -> Iterator[tuple[str, str]]:
    for field, reasons in written.items():
        for reason in [reasons] if isinstance(reasons, str) else reasons:
            yield field, reason
