"""What stands before the servicers of a worker, for tests that serve them by themselves."""

from dataclasses import replace

from qrumb_server.app.servers import call_limits
from qrumb_server.config import RpcSettings
from qrumb_server.rpc.opening import Opening
from qrumb_server.rpc.turns import Turns

__all__ = ["opening"]


def opening(turns: Turns, **limits: int) -> Opening:
    """With the limits of a node, but for those given."""
    return Opening(replace(call_limits(RpcSettings()), **limits), turns=turns)
