"""`qrumb export`: a site's events as files by day, for other tools, with a manifest that says what they have to hold.

Each event once, as `events.attributed_events` has it at that moment, in the file of the day (UTC) of its receipt, whose
rows can then be compared with what the ledger counted.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from qrumb_server.app.clock import SystemClock
from qrumb_server.commands.events import check_site
from qrumb_server.commands.options import TIME, as_utc, site_option, with_settings
from qrumb_server.commands.store import FORMATS, run_sql
from qrumb_server.config import Settings
from qrumb_server.words import counted

__all__ = ["export"]

FILE_FORMATS: Final = {"parquet": "Parquet", "csv": FORMATS["csv"], "jsonl": FORMATS["json"]}
MANIFEST: Final = "manifest.json"
TABLE: Final = "events.attributed_events"
PIECE_BYTES: Final = 1 << 20
# Rows come and are corrected meanwhile; after so many tries the day is still being loaded.
TRIES: Final = 3
Manifest = dict[str, Any]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@site_option
@click.option("--since", type=TIME, help="From this day on (UTC); default: yesterday.")
@click.option("--until", type=TIME, help="Up to this day (UTC), exclusive; default: today.")
@click.option("--format", "file_format", type=click.Choice(list(FILE_FORMATS)), default="parquet", show_default=True)
@click.option(
    "--check", "is_check", is_flag=True, help="Compare FOLDER with its manifest and the ledger; write nothing."
)
@with_settings
def export(
    settings: Settings,
    folder: Path,
    site: str,
    since: datetime | None,
    until: datetime | None,
    file_format: str,
    is_check: bool,
) -> None:
    """Write a site's events into FOLDER, a file for each day of receipt, and a manifest of them.

    Each event once, attributed as it is known now; duplicates are left out. Days that are in the manifest already are
    written anew if they are named again. --check says whether files and ledger still agree with the manifest.
    """
    if is_check:
        _check(settings, folder)
        return
    check_site(settings, site)
    today = datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC).date()
    last = as_utc(until).date() if until else today
    first = as_utc(since).date() if since else last - timedelta(days=1)
    if first >= last:
        raise click.UsageError(f"there is no day from {first} up to {last}, exclusive")
    if kept := next((own for own in settings.own_dirs if folder.absolute().is_relative_to(own)), None):
        raise click.UsageError(f"{folder}: lies in the node's own {kept}; choose a folder elsewhere")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"{folder}: cannot be made: {error.strerror}") from error
    manifest = _open_manifest(folder, site, file_format)
    for day in (first + timedelta(days=number) for number in range((last - first).days)):
        entry = _write_day(settings, folder, site, day, file_format)
        manifest["days"][day.isoformat()] = {**entry, "is_whole": day < today}
        _write_manifest(folder, manifest)
        click.echo(_line(day.isoformat(), entry))


def _write_day(settings: Settings, folder: Path, site: str, day: date, file_format: str) -> dict[str, Any]:
    name = f"{day}.{file_format}"
    chosen = _of_day(site, day)
    for _ in range(TRIES):
        before = _number(settings, f"SELECT count() AS n FROM {TABLE} WHERE {chosen}")  # noqa: S608
        sql = f"SELECT * FROM {TABLE} WHERE {chosen} ORDER BY received_time, segment_id, segment_row"  # noqa: S608
        with contextlib.closing(run_sql(settings, sql, FILE_FORMATS[file_format])) as pieces:
            size, digest = _keep(folder / name, pieces)
        if before == _number(settings, f"SELECT count() AS n FROM {TABLE} WHERE {chosen}"):  # noqa: S608
            number = _number(settings, _ledger_of_day(site, day))
            return {"file": name, "rows": before, "ledger_rows": number, "bytes": size, "sha256": digest}
    (folder / name).unlink()
    raise click.ClickException(f"{day}: the day is being loaded; export it later")


def _keep(path: Path, pieces: Iterable[bytes]) -> tuple[int, str]:
    """Write a file whole or not at all; returns its size and SHA-256.

    Raises:
        ClickException: the disk refuses.
    """
    digest, size = hashlib.sha256(), 0
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with unfinished.open("wb") as file:
            for piece in pieces:
                file.write(piece)
                digest.update(piece)
                size += len(piece)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise click.ClickException(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return size, digest.hexdigest()


def _check(settings: Settings, folder: Path) -> None:
    """Say of every day whether it is as the manifest has it; exit code 1 where one is not."""
    try:
        manifest: Manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise click.ClickException(f"{folder}: has no {MANIFEST}; `qrumb export` writes one") from None
    is_well = True
    for day, entry in sorted(manifest["days"].items()):
        faults = list(_faults(settings, folder, manifest["site_id"], day, entry))
        is_well = is_well and not faults
        click.echo(_line(day, entry) + "".join(f"; {fault}" for fault in faults))
    if not is_well:
        raise click.exceptions.Exit(1)


def _faults(settings: Settings, folder: Path, site: str, day: str, entry: Mapping[str, Any]) -> Iterator[str]:
    path = folder / entry["file"]
    if not path.is_file():
        yield f"{path.name} is not there"
    elif _digest(path) != entry["sha256"]:
        yield f"{path.name} is not the file that was written"
    number = _number(settings, _ledger_of_day(site, date.fromisoformat(day)))
    if number != entry["rows"]:
        yield f"the ledger counts {counted(number, 'event')} now: export the day again"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open_manifest(folder: Path, site: str, file_format: str) -> Manifest:
    """The folder's manifest, or a new one. Readers take all files of a folder: they are of one site and one format."""
    path = folder / MANIFEST
    made: Manifest = {"site_id": site, "table": TABLE, "format": file_format, "days": {}}
    if not path.exists():
        return made
    found: Manifest = json.loads(path.read_text(encoding="utf-8"))
    for name in ("site_id", "format"):
        if found.get(name) != made[name]:
            raise click.ClickException(
                f"{folder}: holds an export whose {name} is {found.get(name)}, not {made[name]}; take another folder"
            )
    return found


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    text = json.dumps({**manifest, "days": dict(sorted(manifest["days"].items()))}, indent=2)
    _keep(folder / MANIFEST, [f"{text}\n".encode()])


def _line(day: str, entry: Mapping[str, Any]) -> str:
    said = f"{day}  {counted(entry['rows'], 'event')}  {counted(entry['bytes'], 'byte')}  {entry['file']}"
    if entry["rows"] != entry["ledger_rows"]:
        said += f"; the ledger counted {entry['ledger_rows']:,}: see `qrumb ledger --verify`"
    return said


def _of_day(site: str, day: date) -> str:
    """Rows that were received on a day (UTC)."""
    return f"{_is(site)} AND received_time >= '{day} 00:00:00' AND received_time < '{_next(day)} 00:00:00'"


def _is(site: str) -> str:
    """Of dead letters any text may be the site; as digits it needs no quoting."""
    return f"site_id = unhex('{site.encode(errors='replace').hex()}')"


def _ledger_of_day(site: str, day: date) -> str:
    return (
        f"SELECT sum(unique_count) AS n FROM events.ledger WHERE {_is(site)} "  # noqa: S608
        f"AND minute_time >= '{day} 00:00:00' AND minute_time < '{_next(day)} 00:00:00'"
    )


def _next(day: date) -> date:
    return day + timedelta(days=1)


def _number(settings: Settings, sql: str) -> int:
    return int(json.loads(b"".join(run_sql(settings, sql, FORMATS["json"])))["n"])
