"""Judges the rules of all sites, tells what began and what ended, and keeps trying what could not be told.

One cause is told once when it begins and once when it ends, however long it lasts and whatever is restarted meanwhile.
The messages of a site go in order: one that is not taken holds up those behind it, and is given up after three days. Of
several loaders before one store one does all of it (`turn.py`).
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from qrumb_server.loader.progress import Progress
from qrumb_server.model import Watch
from qrumb_server.ports import Asking, Clock, EventStore, ReadLimits
from qrumb_server.query.alarms import Alarm, Message
from qrumb_server.watch.journal import Journal, new_message, time_text
from qrumb_server.watch.judge import RuleVerdict, State, judge_rule
from qrumb_server.watch.turn import LASTS_MS

__all__ = ["Watcher"]

log = structlog.get_logger()

FIRST_PAUSE_MS: Final = 5_000
LONGEST_PAUSE_MS: Final = 3_600_000
GIVEN_UP_AFTER_MS: Final = 3 * 86_400_000
# What waits for less is on its way; a receiver may be restarted.
NOTED_AFTER_MS: Final = 600_000
TOPIC: Final = "watch"
Outcome = tuple[str, str]
"""A site, and why its message was not taken; empty: it was."""


class Watcher:
    """Works in the loader's process; its methods block, and one works at a time.

    Args:
        watches: the sites' rules as they are now.
        limits: of each question.
        is_alone: no other loader uses the store.
        turn_ms: how long another waits before it goes on for a loader that is gone.
    """

    def __init__(
        self,
        *,
        store: EventStore,
        clock: Clock,
        watches: Callable[[], Mapping[str, Watch]],
        limits: ReadLimits,
        is_alone: bool,
        progress: Progress,
        registry: CollectorRegistry,
        turn_ms: int = LASTS_MS,
    ) -> None:
        self._store = store
        self._clock = clock
        self._watches = watches
        self._limits = limits
        self._journal = Journal(store, clock=clock, is_alone=is_alone, turn_ms=turn_ms)
        self._progress = progress
        self._lock = threading.Lock()
        self._due_ms = 0
        self._messages = Counter(
            "qrumb_watch_messages", "Webhooks by what became of them.", ["outcome"], registry=registry
        )
        for outcome in ("taken", "refused", "given_up"):
            self._messages.labels(outcome=outcome)
        waiting = Gauge("qrumb_watch_waiting", "Webhooks that were not taken yet.", registry=registry)
        waiting.set_function(lambda: len(self._journal.waiting))
        alarms = Gauge("qrumb_watch_alarms", "Causes of alarm that have not ended.", registry=registry)
        alarms.set_function(lambda: len(self._journal.alarms))

    def step(self, interval: timedelta) -> None:
        """Judge where it is time, and send what is due, if it is this loader's turn. Raises StoreError."""
        interval_ms = interval // timedelta(milliseconds=1)
        with self._lock:
            now_ms = self._clock.now_ms()
            if not self.has_work or not self._journal.take_turn():
                self._due_ms = 0
                return
            self._send_due(now_ms)
            if now_ms >= self._due_ms or now_ms < self._due_ms - interval_ms:  # the clock may have gone back
                verdicts = self._judged_in_turn(now_ms)
                if verdicts is None:
                    return
                self._due_ms = now_ms + interval_ms
                self._tell(verdicts, now_ms)
                self._send_due(now_ms)

    def leave(self) -> None:
        """Let another loader go on: this one ends. Raises StoreError."""
        with self._lock:
            self._journal.leave()

    @property
    def has_work(self) -> bool:
        """Whether there is anything to judge or to send."""
        return bool(self._watches() or self._journal.waiting or self._journal.alarms)

    def say(self, site_id: str) -> list[tuple[RuleVerdict, int]]:
        """What each rule says now, and since when it is an alarm (0: it is none); changes and sends nothing.

        Args:
            site_id: only this site; empty: all. Raises StoreError.
        """
        with self._lock:
            found = [one for one in self._verdicts(self._clock.now_ms()) if site_id in {"", one.site_id}]
            began = {(one.site_id, one.rule, one.qr_code_id): one.began_ms for one in self._journal.read().alarms}
        return [(one, began.get(one.cause, 0)) for one in found]

    def test(self, site_id: str) -> list[Outcome]:
        """Send a message that says that it is a test to each site's receiver, once."""
        now_ms = self._clock.now_ms()
        return [
            (name, _send(watch, new_message("watch.test", now_ms, site_id=name), now_ms))
            for name, watch in self._watches().items()
            if site_id in {"", name}
        ]

    @property
    def waiting(self) -> list[Message]:
        """What was not taken yet, the oldest first. Raises StoreError."""
        return self._journal.read().waiting

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The store as the judge sees it: within the limits of a question."""
        return self._store.query(sql, parameters, Asking(self._limits))

    def _verdicts(self, now_ms: int) -> Iterator[RuleVerdict]:
        for site_id, watch in self._watches().items():
            for rule in watch.rules:
                yield from judge_rule(self, site_id, rule, now_ms)

    def _judged_in_turn(self, now_ms: int) -> list[RuleVerdict] | None:
        """All verdicts; None where the turn was lost meanwhile: many rules over much take a while."""
        verdicts: list[RuleVerdict] = []
        for verdict in self._verdicts(now_ms):
            verdicts.append(verdict)
            if not self._journal.take_turn():
                return None
        return verdicts

    def _tell(self, verdicts: list[RuleVerdict], now_ms: int) -> None:
        """Put down what began and what ended; an alarm without a verdict is of a rule or a code that is gone."""
        alarms, said = self._journal.alarms, {one.cause: one for one in verdicts}
        waiting = len(self._journal.waiting)
        for cause, verdict in said.items():
            if verdict.state is State.ALARM and cause not in alarms:
                site_id, rule, code = cause
                about = {"site_id": site_id, "rule": rule, "qr_code_id": code}
                alarms[cause] = Alarm(**about, began_ms=now_ms, text=verdict.text)
                self._put("watch.began", alarms[cause], verdict.text, now_ms)
        for cause, alarm in list(alarms.items()):
            found = said.get(cause)
            if found is None or found.state is State.FINE:
                del alarms[cause]
                text = found.text if found else "it is not judged any more: its rule was changed or taken out"
                self._put("watch.ended", alarm, text, now_ms)
        if len(self._journal.waiting) > waiting:
            self._journal.save()

    def _put(self, kind: str, alarm: Alarm, text: str, now_ms: int) -> None:
        about = {"site_id": alarm.site_id, "rule": alarm.rule, "qr_code_id": alarm.qr_code_id}
        message = new_message(kind, now_ms, **about, text=text, began_time=time_text(alarm.began_ms))
        self._journal.waiting.append(message)
        log.info("watch_told", message=kind, **about)

    def _send_due(self, now_ms: int) -> None:
        """The first of each site, then the next one if it was taken."""
        watches = self._watches()
        for first in self._first_of_each_site():
            if first.due_ms > now_ms + LONGEST_PAUSE_MS:
                first.due_ms = now_ms  # the clock went back
            message: Message | None = first
            while message is not None and message.due_ms <= now_ms:
                message = self._try(message, watches.get(message.site_id), now_ms)
        if any(now_ms - one.made_ms >= NOTED_AFTER_MS for one in self._journal.waiting):
            number = len(self._journal.waiting)
            self._progress.note(TOPIC, f"webhooks not taken by their receiver: {number}; `qrumb watch` says which")
        else:
            self._progress.clear(TOPIC)

    def _first_of_each_site(self) -> Iterator[Message]:
        firsts: dict[str, Message] = {}
        for message in self._journal.waiting:
            firsts.setdefault(message.site_id, message)
        yield from firsts.values()

    def _try(self, message: Message, watch: Watch | None, now_ms: int) -> Message | None:
        """Send one; the site's next one if this one is done with, and it still is this loader's turn."""
        if not self._journal.is_sure:
            return None
        failure = "the site has no `watch` any more" if watch is None else _send(watch, message, now_ms)
        is_given_up = bool(failure) and (watch is None or now_ms - message.made_ms >= GIVEN_UP_AFTER_MS)
        self._messages.labels(outcome="given_up" if is_given_up else "refused" if failure else "taken").inc()
        if failure and not is_given_up:
            message.failure = failure
            message.due_ms = now_ms + min(FIRST_PAUSE_MS * 2**message.tries, LONGEST_PAUSE_MS)
            message.tries += 1
            log.warning("webhook_not_taken", site_id=message.site_id, id=message.id, tries=message.tries, why=failure)
            self._journal.save()
            return None
        if is_given_up:
            log.error("webhook_given_up", site_id=message.site_id, id=message.id, tries=message.tries, why=failure)
        self._journal.waiting.remove(message)
        self._journal.save()
        return next((one for one in self._journal.waiting if one.site_id == message.site_id), None)


def _send(watch: Watch, message: Message, now_ms: int) -> str:
    # Not before the first message: a loader without rules has no use for an HTTP client.
    from qrumb_server.watch.webhooks import send

    return send(watch, message, now_ms)
