"""`qrumb send`: post sample or given events to a gateway and say what became of each."""

import itertools
import os
import ssl
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final, TextIO

import click
import httpx
import orjson
import uuid_utils
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from qrumb_server.commands.demo import DEMO, demo_key
from qrumb_server.commands.node import running_url
from qrumb_server.commands.options import with_settings
from qrumb_server.commands.samples import sample_visits
from qrumb_server.config import Settings
from qrumb_server.words import counted

__all__ = ["send"]

BATCH_EVENTS: Final = 100
SCANS_PATH: Final = "/scan-sessions/batch"
KEYED_PATHS: Final = ("/scan-sessions", "/server-events")
# From here on a bar is drawn.
MANY: Final = 500
ATTEMPTS: Final = 6
SHOWN_REJECTIONS: Final = 20
Event = dict[str, Any]


class _TryLater(Exception):
    def __init__(self, message: str, retry_after: float | None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@click.command()
@click.argument("events_file", type=click.File("r"), required=False)
@click.option("--count", type=click.IntRange(min=1), default=10, show_default=True, help="Sample events to make.")
@click.option("--site", default=DEMO, show_default=True, help="Site of the sample events.")
@click.option("--seed", type=int, help="Make the same sample events each time.")
@click.option("--url", envvar="QRUMB_URL", help="Gateway; else the node of the data folder.")
@click.option(
    "--ca",
    "authority",
    type=click.Path(exists=True, dir_okay=False),
    help="PEM file of the authority that signed the gateway's certificate; else those of this machine.",
)
@with_settings
def send(
    settings: Settings,
    events_file: TextIO | None,
    count: int,
    site: str,
    seed: int | None,
    url: str | None,
    authority: str | None,
) -> None:
    """Send events: those of EVENTS_FILE (JSON array, or one object per line; - for stdin), else made-up ones.

    An event with an event_name goes to /server-events, any other one to /collect, and what has a qr_code_id is a scan
    session. Server events and scan sessions need the site's key in QRUMB_KEY; for the site demo of a node here, its
    demo.key is taken. Exits with 1 if one is rejected.
    """
    client = _client(url or running_url(settings), authority)
    collect_path = settings.gateway.collect_paths[0]
    if key := os.environ.get("QRUMB_KEY") or ("" if url else demo_key(settings)):
        client.headers["authorization"] = f"Bearer {key}"
    if events_file is None:
        are_accepted = _send(client, _sample_events(count, site, seed), count, collect_path)
    else:
        events = list(_read_events(events_file))
        are_accepted = _send(client, events, len(events), collect_path)
    sys.exit(0 if are_accepted else 1)


def _read_events(source: TextIO) -> Iterator[Event]:
    """Events of a JSON array, a single JSON object, or one JSON object per line.

    Raises:
        click.ClickException: says which line is not an event.
    """
    text = source.read()
    if text.lstrip().startswith("["):
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise click.ClickException(f"{source.name}: not JSON: {error}") from error
        yield from found
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                event = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise click.ClickException(f"{source.name}, line {number}: not JSON: {error}") from error
            if not isinstance(event, dict):
                raise click.ClickException(f"{source.name}, line {number}: an event is a JSON object")
            yield event


def _sample_events(count: int, site_id: str, seed: int | None) -> Iterator[Event]:
    """So many made-up events, and the scans that they follow; in groups, since what goes to one path is one call."""
    visits = sample_visits(site_id, seed)
    while count > 0:
        scans: list[Event] = []
        events: list[Event] = []
        while len(scans) < BATCH_EVENTS and len(events) < count:
            scan, visit = next(visits)
            scans.append(scan)
            events += visit
        events = events[:count]
        count -= len(events)
        yield from scans
        yield from sorted(events, key=lambda event: "event_name" in event)


def _client(url: str, authority: str | None) -> httpx.Client:
    """Raises ClickException where the address is none of HTTP, or the authority's file holds no certificate."""
    if not url.startswith(("http://", "https://")):
        raise click.ClickException(
            "--url or QRUMB_URL: qrumb send posts JSON to the gateway, http://host:8080 or https://host, "
            "addresses that the clients take too"
        )
    try:
        trusted: ssl.SSLContext | bool = ssl.create_default_context(cafile=authority) if authority else True
    except ssl.SSLError as error:
        raise click.ClickException(f"--ca {authority}: holds no certificate in PEM: {error}") from error
    return httpx.Client(base_url=url, timeout=30, verify=trusted)


def _send(client: httpx.Client, events: Iterable[Event], total: int | None, collect_path: str) -> bool:
    """Post events in batches; prints a summary. True if all were accepted."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    outcomes: Counter[str] = Counter()
    shown = scans = 0
    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    is_bar_hidden = not console.is_terminal or (total is not None and total < MANY)
    with client, Progress(*columns, console=console, disable=is_bar_hidden) as progress:
        task = progress.add_task("sending", total=total)
        for path, batch in _batches(events, collect_path):
            answer = _post(client, path, batch)
            if path == SCANS_PATH:
                scans += len(batch)
                continue
            receipts = answer["receipts"]
            for event, receipt in zip(batch, receipts, strict=True):
                outcomes[receipt["outcome"]] += 1
                if receipt["outcome"] == "REJECTED" and shown < SHOWN_REJECTIONS:
                    shown += 1
                    for violation in receipt["violations"]:
                        progress.console.print(
                            f"rejected {event['event_id']}: {violation['field']} {violation['description']}"
                            f" ({violation['reason']})",
                            markup=False,
                        )
            progress.advance(task, len(batch))
    if scans:
        click.echo(f"registered: {counted(scans, 'scan session')}", err=True)
    click.echo(", ".join(f"{name.lower()}: {number}" for name, number in sorted(outcomes.items())) or "no events")
    return set(outcomes) <= {"ACCEPTED"}


def _batches(events: Iterable[Event], collect_path: str) -> Iterator[tuple[str, list[Event]]]:
    """Events with ids, so that a retry is a retry, grouped by where they go."""

    def path_of(event: Event) -> str:
        if "qr_code_id" in event:
            return SCANS_PATH
        return f"{'/server-events' if 'event_name' in event else collect_path}/batch"

    for path, group in itertools.groupby(events, path_of):
        while batch := list(itertools.islice(group, BATCH_EVENTS)):
            is_named = path == SCANS_PATH
            yield path, batch if is_named else [{"event_id": str(uuid_utils.uuid7()), **event} for event in batch]


def _post(client: httpx.Client, path: str, batch: list[Event]) -> Any:
    def pause(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _TryLater) and error.retry_after is not None:
            return error.retry_after
        return wait_random_exponential(multiplier=0.2, max=5)(state)

    policy = Retrying(
        retry=retry_if_exception_type(_TryLater), wait=pause, stop=stop_after_attempt(ATTEMPTS), reraise=True
    )
    try:
        return policy(_post_once, client, path, batch)
    except _TryLater as error:
        raise click.ClickException(f"{client.base_url}: gave up after {ATTEMPTS} tries: {error}") from error


def _post_once(client: httpx.Client, path: str, batch: list[Event]) -> Any:
    body = {"scan_sessions" if path == SCANS_PATH else "events": batch}
    try:
        reply = client.post(path, content=orjson.dumps(body), headers={"content-type": "application/json"})
    except httpx.TransportError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise click.ClickException(
                f"{client.base_url}: the certificate is not trusted; --ca names the authority that signed it ({error})"
            ) from error
        raise _TryLater(f"no answer: {error}", None) from error
    if reply.status_code in {429, 502, 503, 504}:
        raise _TryLater(_message(reply), _seconds(reply.headers.get("retry-after")))
    if reply.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN} and path.startswith(KEYED_PATHS):
        sites = ", ".join(sorted({str(event.get("site_id", "")) for event in batch}))
        raise click.ClickException(
            f"{path} answered {reply.status_code}: {_message(reply)}; the sites of these events are: {sites}. "
            "Set QRUMB_KEY to a key of that site: `qrumb sites` makes one."
        )
    if reply.status_code != httpx.codes.OK:
        raise click.ClickException(f"{path} answered {reply.status_code}: {_message(reply)}")
    return reply.json()


def _message(reply: httpx.Response) -> str:
    try:
        return str(reply.json()["message"])
    except (ValueError, KeyError, TypeError):
        return reply.text[:200]


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None
