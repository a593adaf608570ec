"""A program that sends what it is told on standard input, for spool.yaml: `python -m tests.support.spool_sender`.

clients/cases/README.md has its commands. With `asyncio` as argument it is that of AsyncClient.
"""

import json
import os
import sys
from itertools import count
from typing import Any

from qrumb import QueueFullError, Settings, UndeliveredError, server_event
from tests.support.client_cases import AsyncDriver, Driver, SyncDriver, id_of

NUMBERS = count()


def send(driver: Driver, padding: int, scan_session_id: str) -> None:
    """One event; its id is printed when send has returned."""
    event = server_event(
        site_id="spool",
        event_name=f"e{next(NUMBERS)}",
        scan_session_id=scan_session_id,
        properties={"p": "x" * padding},
    )
    print("id", driver.send(event), flush=True)


def send_many(driver: Driver, number: int, padding: int, scan_session_id: str) -> None:
    """So many, or for ever where it is 0."""
    try:
        for _ in range(number) if number else count():
            send(driver, padding, scan_session_id)
    except QueueFullError:
        print("refused", flush=True)


def close(driver: Driver, seconds: float) -> None:
    """What is handed back is printed."""
    try:
        driver.close(seconds)
    except UndeliveredError as error:
        print("left", *map(id_of, error.events))


def main() -> None:
    """Until it is told to close."""
    make: Any = AsyncDriver if sys.argv[1:] else SyncDriver
    driver: Driver = make("", Settings(**json.loads(os.environ["SENDER_SETTINGS"])))
    print("ready", flush=True)
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "send":
            send_many(driver, int(arguments[0]), int(arguments[1]), "" if arguments[2] == "rejected" else "s")
        elif command == "flush":
            print(driver.flush(float(arguments[0])))
        elif command == "close":
            close(driver, float(arguments[0]))
        print("done", flush=True)
        if command == "close":
            break
    if isinstance(driver, AsyncDriver):
        driver.end()


if __name__ == "__main__":
    main()
