"""What those who wait for a job of the disk are told."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from qrumb_server.errors import SpoolFailedError
from qrumb_server.spool.journal import Append, Refusal

__all__ = ["Waiting", "answer_appends", "answer_seals", "failure", "fault_of"]

Waiting = tuple[Append, asyncio.Future[None]]


def answer_appends(group: Sequence[Waiting], job: Future[list[Refusal | None]]) -> None:
    """Each caller its own."""
    fault = fault_of(job)
    answers = job.result() if fault is None else [None] * len(group)
    for (_append, done), refusal in zip(group, answers, strict=True):
        if done.done():
            continue
        if fault is not None:
            done.set_exception(failure("the append broke down", fault))
        elif refusal is not None:
            done.set_exception(refusal.kind(refusal.reason))
        else:
            done.set_result(None)


def answer_seals(waiters: Sequence[asyncio.Future[None]], job: Future[bool]) -> None:
    """All of them the same."""
    fault = fault_of(job)
    is_done = fault is None and job.result()
    for waiter in waiters:
        if waiter.done():
            continue
        if is_done:
            waiter.set_result(None)
        else:
            waiter.set_exception(failure("the segment could not be sealed", fault))


def fault_of(job: Future[Any]) -> BaseException | None:
    """What ended a job that is not among its answers: an executor that was shut down, or an error of ours."""
    return asyncio.CancelledError() if job.cancelled() else job.exception()


def failure(text: str, cause: BaseException | None) -> SpoolFailedError:
    """With its cause."""
    error = SpoolFailedError(text)
    error.__cause__ = cause
    return error
