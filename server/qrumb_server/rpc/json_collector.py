"""CollectorService for JSON: the gateway hands over bodies unread, and is handed the text of the answer.

The methods are derived from the contract's (tools/json_methods.py), with names, verdicts and errors of those.
`json_scans` has those of scan sessions.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qsl

import grpc

from qrumb_server.model import Source
from qrumb_server.reading.body import read_flag
from qrumb_server.rpc.caller import said
from qrumb_server.rpc.collector import Collector
from qrumb_server.rpc.json_answers import as_body, as_lists, as_members, receipt_members, receipt_text, written
from qrumb_server.rpc.json_opening import JSON_COLLECTOR, JSON_KINDS
from qrumb_server.rpc.opened import Opened
from qrumb_server.rpc.preview import Previewed

__all__ = ["add_json_collector", "asks_for_dry_run"]

Context = grpc.aio.ServicerContext[Any, Any]

# What the transcoder keeps of the address that was called.
ORIGINAL_PATH: Final = "x-envoy-original-path"
DRY_RUN: Final = frozenset({"validate_only", "validateOnly"})


def add_json_collector(collector: Collector, server: grpc.aio.Server) -> None:
    """Serve the methods by a collector."""
    handlers: dict[str, Any] = {
        method.rpartition("/")[2]: grpc.unary_unary_rpc_method_handler(
            (_batch if kind.is_batch else _single)(collector, kind.source)
        )
        for method, kind in JSON_KINDS.items()
        if kind.source is not None
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(JSON_COLLECTOR, handlers)])


def _single(collector: Collector, source: Source) -> Callable[[Opened, Context], Awaitable[bytes]]:
    async def collect(request: Opened, context: Context) -> bytes:
        request = _asked(request, context)
        if request.compiled and not request.validate_only:
            [text] = await collector.collect_compiled(
                request, request.compiled, context, is_single=True, say=receipt_text
            )
            return as_body(b'{"receipt":%b}' % text)
        receipt, previewed = await collector.collect_one(source, request, context, receipt_members)
        answer = {"receipt": receipt}
        for row in previewed.rows:
            answer["row"] = as_members(row)
        answer |= _said(previewed)
        return as_body(written(answer))

    return collect


def _batch(collector: Collector, source: Source) -> Callable[[Opened, Context], Awaitable[bytes]]:
    async def collect(request: Opened, context: Context) -> bytes:
        request = _asked(request, context)
        if request.compiled and not request.validate_only:
            receipts = await collector.collect_compiled(
                request, request.compiled, context, is_single=False, say=receipt_text
            )
            return as_lists({"receipts": receipts, "rows": ()}, {})
        receipts, previewed = await collector.collect_batch(source, request, context, receipt_text)
        rows = (written(as_members(row)) for row in previewed.rows)
        texts = await collector.turns.run(rows, size=request.size)
        body = as_lists({"receipts": receipts, "rows": texts}, _said(previewed))
        await asyncio.sleep(0)  # gRPC copies it once more
        return body

    return collect


def _said(previewed: Previewed) -> dict[str, Any]:
    return {"is_incomplete": True} if previewed.is_incomplete else {}


def _asked(request: Opened, context: Context) -> Opened:
    """The request, with what its address asks for; all other names there are not ours."""
    return request.as_dry_run() if asks_for_dry_run(context) else request


def asks_for_dry_run(context: Context) -> bool:
    """Whether the address of a call does."""
    if not (query := said(context, ORIGINAL_PATH).partition("?")[2]):
        return False
    asked = [value for name, value in parse_qsl(query, keep_blank_values=True) if name in DRY_RUN]
    return any(read_flag(value.lower()) for value in asked)
