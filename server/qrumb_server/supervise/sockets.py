"""Names of a node's unix sockets.

They are relative: every process of a node works in the run folder, so that a long DATA_DIR does not run into the
108 bytes that a unix socket's path may have.
"""

from typing import Final

__all__ = ["CHANNEL_OPTIONS", "GATEWAY_ADMIN", "LOADER", "QUERIES", "STATUS", "worker"]

# Of the loader: one for this node, and one for callers from outside, who need a key.
LOADER: Final = "loader.sock"
QUERIES: Final = "queries.sock"
STATUS: Final = "status.sock"
# Two by turns: while one gateway takes over from another, both have one.
GATEWAY_ADMIN: Final = ("gateway-admin.sock", "gateway-admin-2.sock")
# Answers of our own processes may be longer than the 4 MiB that gRPC takes unless told otherwise.
CHANNEL_OPTIONS: Final = (("grpc.max_receive_message_length", -1),)


def worker(index: int) -> str:
    """The socket on which the gateway reaches one collector worker."""
    return f"worker-{index}.sock"
