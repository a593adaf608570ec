"""Questions that are not answered, over HTTP from a real node: status and body are those of docs/errors.md."""

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.support.plain_http import NO_TLS
from tests.support.stack import running_stack

pytestmark = [pytest.mark.stack, pytest.mark.chdb]

ASKED = ("tail", "counts", "funnel", "attribution")
BUSY = "as many queries as may run at once are at work; ask again later"
KIND = "type.googleapis.com/google.rpc."


async def test_too_large_and_too_many_questions_are_told_apart(tmp_path: Path) -> None:
    settings = {"MAX_ROWS": "1", "MAX_CONCURRENT": "1", "MAX_WAIT": "PT0S"}
    named = {f"QRUMB_QUERIES__{name}": value for name, value in settings.items()}
    with running_stack(tmp_path / "data", QRUMB_WORKERS="1", **named) as stack:
        assert stack.command("send", "--count", "60", "--site", "shop").returncode == 0
        stack.wait_for_rows(60)
        async with httpx.AsyncClient(base_url=stack.url, timeout=60, verify=NO_TLS) as client:
            for question in ASKED:
                reply = await client.get(f"/v1/sites/shop/{question}")
                body = reply.json()
                assert (reply.status_code, body["code"]) == (400, 9), (question, body)
                assert body["message"] == "answering this takes more rows than a query may have", question
                assert [detail["reason"] for detail in body["details"]] == ["QUERY_TOO_LARGE"], question
            replies = await asyncio.gather(*(client.get("/v1/sites/shop/counts") for _ in range(40)))
        told = {reply.status_code: reply for reply in replies}
        assert told.keys() == {400, 429}
        assert told[429].headers["retry-after"] == "2"
        body = told[429].json()
        assert (body["code"], body["message"]) == (8, BUSY)
        info, retry = sorted(body["details"], key=lambda detail: detail["@type"])
        assert (info["@type"], info["reason"]) == (f"{KIND}ErrorInfo", "QUERIES_BUSY")
        assert info["metadata"]["help_url"].endswith("#queries_busy")
        assert retry == {"@type": f"{KIND}RetryInfo", "retry_delay": "2s"}
