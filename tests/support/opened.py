"""What stands before the servicers of a worker, for tests that serve them by themselves."""

from dataclasses import replace

from qrumb_server.app.servers import call_limits
from qrumb_server.config import RpcSettings
from qrumb_server.rpc.compiled_calls import Compiled
from qrumb_server.rpc.hotpath import is_built
from qrumb_server.rpc.opening import Opening
from qrumb_server.rpc.turns import Turns

__all__ = ["opening"]


def opening(turns: Turns, *, by_python: bool = False, **limits: int) -> Opening:
    """With the limits of a node, but for those given, and the compiled way where it is built and not unwanted."""
    of_call = replace(call_limits(RpcSettings()), **limits)
    compiled = None
    if is_built() and not by_python:
        compiled = Compiled(
            turns=turns, max_event_bytes=of_call.max_event_bytes, max_batch_events=of_call.max_batch_events
        )
    return Opening(of_call, turns=turns, compiled=compiled)
