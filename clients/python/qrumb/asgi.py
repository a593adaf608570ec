"""Carries scans through Starlette, FastAPI and what else is ASGI: `pip install 'qrumb[asgi]'`.

app.add_middleware(CarryMiddleware, carry=Carry(site_id="shop", secrets=secret), consent=read_consent)
"""

from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qrumb.carry import Carry, carrying

__all__ = ["CarryMiddleware"]


class CarryMiddleware:
    """Makes the scan that a request carries its `current_session()`.

    Args:
        app: what answers.
        carry: how scans are carried.
        consent: the visitor's for a request: `granted`, `denied` or `pending`.
    """

    def __init__(self, app: ASGIApp, carry: Carry, consent: Callable[[HTTPConnection], str]) -> None:
        self._app = app
        self._carry = carry
        self._consent = consent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        carried = self._carry.read(
            request.url.query, request.cookies.get(self._carry.cookie, ""), self._consent(request)
        )
        cookie = self._carry.set_cookie(carried)

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and cookie:
                MutableHeaders(scope=message).append("set-cookie", cookie)
            await send(message)

        with carrying(carried):
            await self._app(scope, receive, send_with_cookie)
