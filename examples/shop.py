"""A small shop for a look at the whole way from a QR code to a purchase: redirect, landing with the tag, checkout.

`make run` in one terminal, `python examples/shop.py` in another, then open http://127.0.0.1:8000/codes and scan one of
its codes, or follow its link. /funnel says what came of it. For a look only, on this machine alone.
"""

import argparse
import html
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import grpc
import segno
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from qrumb import AsyncClient, Carry, Redirect, current_session, event_id_for, server_event
from qrumb.asgi import CarryMiddleware
from qrumb.events import JsonValue
from qrumb.v1.query_service_pb2 import GetFunnelRequest, GetFunnelResponse
from qrumb.v1.query_service_pb2_grpc import QueryServiceStub

HERE = Path(__file__).resolve().parent
DIST = HERE.parent / "clients" / "browser" / "dist"
SITE = "demo"
PRICES = {"bowl": Decimal("34.00"), "cup": Decimal("18.50"), "vase": Decimal("49.90")}
# The paths of the codes by what they stand for; the last is a GS1 Digital Link, as on a package.
CODES: dict[str, tuple[str, dict[str, JsonValue]]] = {
    "poster-7": ("/scan/poster-7", {"campaign": "autumn", "placement": "tram stop"}),
    "poster-8": ("/scan/poster-8", {"campaign": "autumn", "placement": "market"}),
    "flyer-2": ("/scan/flyer-2", {"campaign": "autumn", "print_run": 2}),
    "09506000134352": ("/01/09506000134352/10/L-26/21/4711", {}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """The shop's few pages."""

    url: str
    collector: str
    grpc: str
    key: str
    client: AsyncClient
    redirect: Redirect

    async def codes(self, _request: Request) -> Response:
        """The codes, to be scanned from the screen."""
        cards = [
            f"<article><h2>{code}</h2>{segno.make(self.url + path).svg_inline(scale=5)}"
            f'<p><a href="{path}">{path}</a></p></article>'
            for code, (path, _labels) in CODES.items()
        ]
        return page("Codes", f'<div class="pots">{"".join(cards)}</div><p><a href="/funnel">What came of it</a></p>')

    async def scan(self, request: Request) -> Response:
        """What the address in a QR code does."""
        code = request.path_params.get("code", request.url.path)
        answer = self.redirect.answer(
            code,
            request.headers,
            method=request.method,
            query=request.url.query,
            client_ip=request.client.host if request.client else "",
            labels=CODES.get(code, ("", {}))[1],
        )
        return Response(status_code=answer.status, headers=dict(answer.headers))

    async def landing(self, _request: Request) -> Response:
        """The page with the tag; a strict policy, as the tag needs no more."""
        text = (HERE / "shop/index.html").read_text(encoding="utf-8").replace("COLLECTOR", self.collector)
        policy = f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' {self.collector}"
        return HTMLResponse(text, headers={"content-security-policy": policy})

    async def checkout(self, request: Request) -> Response:
        """A purchase; it belongs to a QR code if its visitor carries a scan."""
        asked = await request.json()
        number = f"A-{secrets.randbelow(10**6):06}"
        amount = sum((PRICES[item] for item in asked["items"]), Decimal(0))
        if session := current_session():
            # It waits for nothing. That it was not taken, or not delivered, is in the client's report.
            self.client.offer(
                server_event(
                    site_id=SITE,
                    event_name="purchase",
                    event_id=event_id_for("purchase", number),
                    scan_session_id=session,
                    consent="granted",  # else the request would carry no session
                    email=asked["email"] or None,
                    amount=amount,
                    currency="EUR",
                    properties={"order": number, "items": asked["items"]},
                )
            )
        return JSONResponse({"number": number, "amount": str(amount), "is_scanned": bool(session)})

    async def funnel(self, _request: Request) -> Response:
        """What the collector says of the codes so far."""
        async with grpc.aio.insecure_channel(self.grpc) as channel:
            call = QueryServiceStub(channel).GetFunnel
            try:
                found: GetFunnelResponse = await call(
                    GetFunnelRequest(site_id=SITE), metadata=(("authorization", f"Bearer {self.key}"),), timeout=10
                )
            except grpc.aio.AioRpcError as error:
                return page("Funnel", f"<p>{html.escape(str(error.details()))}</p>", status=503)
        rows = [
            f"<tr><td>{html.escape(row.qr_code_id)}<td>{row.scan_count}<td>{row.visit_count}<td>{row.conversion_count}<td>"
            + ", ".join(f"{sum_.currency} {sum_.amount}" for sum_ in row.amounts)
            for row in found.funnels
        ]
        head = "<tr><th>code<th>scans<th>visits<th>purchases<th>worth"
        return page("Funnel", f"<table>{head}{''.join(rows)}</table>")


def page(title: str, body: str, status: int = 200) -> Response:
    """A page in the shop's dress."""
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<link rel="stylesheet" href="/shop.css">'
        '<header><a class="brand" href="/">Clay <span>&amp;</span> Kiln</a></header>'
        f"<main><h1>{title}</h1>{body}</main>"
    )
    return HTMLResponse(text, status_code=status)


def consent(request: HTTPConnection) -> str:
    """The visitor's answer, as the page's script remembers it."""
    return request.cookies.get("consent", "pending")


def program(arguments: argparse.Namespace, url: str) -> Starlette:
    """The shop as a program for uvicorn."""
    key = os.environ.get("QRUMB_KEY", "")
    secret = os.environ.get("QRUMB_SESSION_SECRET") or secrets.token_urlsafe(24)
    app = Starlette(
        middleware=[Middleware(CarryMiddleware, carry=Carry(site_id=SITE, secrets=secret), consent=consent)]
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncClient(f"grpc://{arguments.grpc}", key=key) as client:
            redirect = Redirect(
                client=client,
                site_id=SITE,
                secret=secret,
                destinations={code: f"{url}/?utm_source={code}" for code in CODES},
            )
            shop = Shop(
                url=url,
                collector=arguments.collector,
                grpc=arguments.grpc,
                key=key,
                client=client,
                redirect=redirect,
            )
            app.router.routes += routes(shop)
            yield

    app.router.lifespan_context = lifespan
    return app


def routes(shop: Shop) -> list[Route]:
    """Pages and files."""
    every = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]
    files = {
        "/shop.css": HERE / "shop/shop.css",
        "/shop.js": HERE / "shop/shop.js",
        "/qrumb.js": DIST / "qrumb.js",
        "/qrumb-stub.js": DIST / "qrumb-stub.js",
    }
    return [
        Route("/", shop.landing),
        Route("/codes", shop.codes),
        Route("/funnel", shop.funnel),
        Route("/scan/{code}", shop.scan, methods=every),
        Route("/01/{rest:path}", shop.scan, methods=every),
        Route("/checkout", shop.checkout, methods=["POST"]),
        *(Route(path, file_page(file)) for path, file in files.items()),
    ]


def file_page(file: Path) -> Callable[[Request], Awaitable[Response]]:
    """One file as it is."""

    async def answer(_request: Request) -> Response:
        return FileResponse(file)

    return answer


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collector", default="http://127.0.0.1:8080")
    parser.add_argument("--grpc", default="127.0.0.1:9090")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    if not (DIST / "qrumb.js").exists():
        parser.error("the tag is not built: npm ci && npm run build, in clients/browser")
    with socket.create_server(("127.0.0.1", arguments.port)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        print(f"shop: {url}/codes", flush=True)
        uvicorn.Server(uvicorn.Config(program(arguments, url), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
