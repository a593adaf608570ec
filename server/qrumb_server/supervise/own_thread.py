"""What may wait for a disk that does not answer: in a thread of its own, which delays no exit.

The event loop's own threads are waited for at its end.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["in_own_thread"]

_T = TypeVar("_T")


async def in_own_thread(call: Callable[[], _T], *, name: str) -> _T:
    """What `call` returns or raises.

    Args:
        name: of the thread.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def settle(found: list[_T], fault: BaseException | None) -> None:
        if done.done():
            return
        if fault is not None:
            done.set_exception(fault)
        else:
            done.set_result(found[0])

    def run() -> None:
        found, fault = [], None
        try:
            found = [call()]
        except Exception as error:  # noqa: BLE001  (raised again where it is waited for)
            fault = error
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, found, fault)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done
