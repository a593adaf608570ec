"""docs/errors.md: the table of reasons, with examples out of the golden verdicts.

Each name has one section, whatever lists it: a violation's name may also be that of a refused argument.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from qrumb_server.reasons import calls, gateway  # noqa: E402
from qrumb_server.reasons.entry import DOCS_URL, Reason, help_url  # noqa: E402
from qrumb_server.reasons.events import MARKS, VIOLATIONS, WARNINGS, Finding  # noqa: E402
from qrumb_server.reasons.examples import EXAMPLES  # noqa: E402
from tests.support.verdict_cases import FILES, Case, load_cases  # noqa: E402

__all__ = ["document"]

# Of the times in examples, so that the page is the same whenever it is made.
NOW: Final = datetime(2026, 7, 1, 12, tzinfo=UTC)
SITE: Final = "demo"
LONGEST_TEXT: Final = 70
LONGEST_LIST: Final = 4
PATHS: Final = {"browser": "/collect", "server": "/server-events"}

INTRODUCTION: Final = f"""\
<!-- Generated from server/qrumb_server/reasons/ and tests/golden/verdicts/ by: make generate -->

# Errors and findings

Every answer other than a success names its reason; this page has one section for each. A request that is refused as a
whole is answered with google.rpc.Status: `ErrorInfo.reason` is the name, and `ErrorInfo.metadata.help_url` leads to its
section here. In a batch, each event's receipt has its violations (REJECTED) or warnings (ACCEPTED), each with a
`help_url`. Nothing of a refused request is kept. A delay is stated in RetryInfo and in the header retry-after. Names
never change; new ones may be added.

```json
{{"code": 3, "message": "event rejected: site_id", "details": [
  {{"@type": "type.googleapis.com/google.rpc.BadRequest", "field_violations": [
    {{"field": "site_id", "reason": "REQUIRED", "description": "is required"}}]}},
  {{"@type": "type.googleapis.com/google.rpc.Help", "links": [
    {{"description": "REQUIRED", "url": "{help_url("REQUIRED")}"}}]}},
  {{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "EVENT_REJECTED", "domain": "qrumb",
    "metadata": {{"event_id": "0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e4f", "help_url": "{help_url("EVENT_REJECTED")}"}}}}]}}
```

`{DOCS_URL}` stands for this page ([names](releasing.md#names)).
"""


def document() -> str:
    """The whole page."""
    cases = [case for path in FILES for case in load_cases(path, NOW) if not case.transcoder]
    alone = [reason for reason in calls.TABLE if reason.name not in VIOLATIONS]
    parts = [
        INTRODUCTION,
        "## Whole requests\n",
        _overview([*calls.TABLE, *gateway.TABLE]),
        *_sections(alone),
        "## Replies of the gateway\n\nWhat Envoy answers before a request reaches the service.\n",
        *_sections([reason for reason in gateway.TABLE if reason.name not in VIOLATIONS]),
        "## Violations of an event\n\nThe event is REJECTED, and kept as a rejected one.\n",
        *(_finding(name, found, _of_violation(name, cases)) for name, found in VIOLATIONS.items()),
        "## Warnings of an event\n\nThe event is ACCEPTED; something was changed or looks unintended.\n",
        *(
            _finding(name, found, _of_warning(name, cases))
            for name, found in WARNINGS.items()
            if name not in VIOLATIONS
        ),
        "## Fraud marks\n\nThe event is kept and counted, with `is_fraud = 1` and the mark in `fraud_reasons`.\n",
        *(_finding(name, found, None) for name, found in MARKS.items()),
    ]
    return "\n".join(parts)


def _overview(reasons: Sequence[Reason]) -> str:
    """One line for each name; the entries of one name differ in their text alone, or are met in different places."""
    lines = ["| reason | HTTP | gRPC | retry |", "| --- | --- | --- | --- |"]
    lines += dict.fromkeys(
        f"| [{reason.name}](#{reason.name.lower()}) | {reason.status} | {reason.code.name} | {reason.retry} |"
        for reason in reasons
    )
    return "\n".join(lines) + "\n"


def _sections(reasons: Sequence[Reason]) -> Iterator[str]:
    for name in dict.fromkeys(reason.name for reason in reasons):
        yield f"### {name}\n"
        yield from (_entry(reason) for reason in reasons if reason.name == name)


def _entry(reason: Reason) -> str:
    text = reason.text.replace("{{", "{").replace("}}", "}").replace("%LOCAL_REPLY_BODY%", "{what does not fit}")
    delay = f" ({reason.retry_after_seconds} s)" if reason.retry_after_seconds else ""
    lines = [
        f"HTTP {reason.status}, gRPC {reason.code.name}: `{text.replace('`', chr(39))}`\n",
        f"- **Cause:** {reason.cause}",
        f"- **What to do:** {reason.advice}",
        f"- **Retry:** {reason.retry}{delay}.",
    ]
    if example := EXAMPLES.get(_constant(reason)):
        lines += [f"- **Wrong:** `{example.wrong}`", f"- **Right:** `{example.right}`"]
    return "\n".join(lines) + "\n"


def _constant(reason: Reason) -> str:
    found = (name for module in (calls, gateway) for name, value in vars(module).items() if value is reason)
    return next(found)


def _finding(name: str, found: Finding, example: tuple[Case, Case] | None) -> str:
    lines = [f"### {name}\n", f"- **Cause:** {found.cause}", f"- **What to do:** {found.advice}"]
    if found.wrong:
        lines += [f"- **Wrong:** `{found.wrong}`", f"- **Right:** `{found.right}`"]
    elif example is not None:
        wrong, right = example
        [[field, _name]] = wrong.violations or wrong.warnings
        lines += [
            f"- **Wrong**, in `{field}` of {PATHS[wrong.source]}: `{_event_text(wrong)}`",
            f"- **Right:** `{_event_text(right)}`",
        ]
    parts = ["\n".join(lines) + "\n"]
    if name in VIOLATIONS and (warning := WARNINGS.get(name)) and found is not warning:
        parts.append(f"As a warning: {warning.cause} {warning.advice}\n")
    shared = [reason for reason in (*calls.TABLE, *gateway.TABLE) if reason.name == name]
    if shared and name in VIOLATIONS:
        parts += ["The same name refuses a whole request:\n", *(_entry(reason) for reason in shared)]
    return "\n".join(parts)


def _of_violation(name: str, cases: Sequence[Case]) -> tuple[Case, Case] | None:
    return _pair(cases, [case for case in cases if [kind for _field, kind in case.violations] == [name]])


def _of_warning(name: str, cases: Sequence[Case]) -> tuple[Case, Case] | None:
    return _pair(cases, [case for case in cases if [kind for _field, kind in case.warnings] == [name]])


def _pair(cases: Sequence[Case], wrong: Sequence[Case]) -> tuple[Case, Case] | None:
    """The shortest event with the finding, and the shortest of the same kind that is fine and has the field."""
    if not wrong:
        return None
    bad = min(wrong, key=lambda case: len(_event_text(case)))
    [[field, _name]] = bad.violations or bad.warnings
    keys = field.partition("[")[0].split(".")[:2]
    fine = [case for case in cases if case.source == bad.source and not (case.violations or case.warnings)]
    same = [case for case in fine if _has(case.event, keys)] or [case for case in fine if _has(case.event, keys[:1])]
    return bad, min(same or fine, key=lambda case: len(_event_text(case)))


def _has(event: Mapping[str, Any], keys: Sequence[str]) -> bool:
    """Whether the event holds something there."""
    value: Any = event
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return bool(value)


def _event_text(case: Case) -> str:
    """The event as JSON of one line, with what is too long to read said in words."""
    event = {**case.event, "site_id": SITE} if case.event.get("site_id") == "verdicts" else case.event
    return json.dumps(_short(event), ensure_ascii=False)


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return f"{value[:8]}... ({len(value)} characters)"
    if isinstance(value, list):
        rest = [f"... ({len(value)} values)"] if len(value) > LONGEST_LIST else []
        return [*map(_short, value[:2] if rest else value), *rest]
    if isinstance(value, Mapping):
        if len(value) > 2 * LONGEST_LIST:
            first = dict(list(value.items())[:2])
            return {**{key: _short(item) for key, item in first.items()}, "...": f"({len(value)} values)"}
        return {key: _short(item) for key, item in value.items()}
    return value


if __name__ == "__main__":
    sys.stdout.write(document())
