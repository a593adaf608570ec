"""The file in which the supervisor tells a node's own gateway which workers to call (Envoy's endpoint discovery)."""

import json
from collections.abc import Mapping

__all__ = ["pipe", "workers"]

_ASSIGNMENT = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"


def workers(serving: Mapping[str, bool]) -> str:
    """The content of GatewayOptions.workers_file.

    Args:
        serving: by the socket of each worker, whether it is to be called. Where none is, all are tried.
    """
    endpoints = [
        {**pipe(socket), "health_status": "HEALTHY" if is_serving else "UNHEALTHY"}
        for socket, is_serving in serving.items()
    ]
    found = {"@type": _ASSIGNMENT, "cluster_name": "collector", "endpoints": [{"lb_endpoints": endpoints}]}
    return json.dumps({"resources": [found]})


def pipe(socket: str) -> dict[str, object]:
    """A unix socket, as Envoy names those whom it calls."""
    return {"endpoint": {"address": {"pipe": {"path": socket}}}}
