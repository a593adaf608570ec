"""The Python redirect and the middlewares keep what clients/cases promises, with the real frameworks."""

import asyncio
import re
import sys
import time
import types
import uuid
from collections.abc import Callable
from typing import Any

import django
import httpx
import pytest
from django.conf import settings as django_settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qrumb import AsyncClient, Carry, Client, QueueFullError, Redirect, Settings, UndeliveredError, current_session
from qrumb.asgi import CarryMiddleware
from qrumb.events import Event
from qrumb.signing import is_signed, sign_scan_session_id
from qrumb.v1.scan_session_pb2 import ScanSession
from tests.support.client_front import CASES, Front, load_cases
from tests.support.plain_http import NO_TLS

Case = dict[str, Any]
SITE, SECRET, OLDER = "shop", "a-secret", "the-older-secret"
MOST_SECONDS = 30 * 86_400
BROWSER = {"user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) Safari/604.1"}


def cases(name: str) -> Any:
    """The cases of a file as parameters."""
    return pytest.mark.parametrize("case", load_cases(name), ids=lambda case: case["name"])


class Kept:
    """Stands for a client, where what it is offered is the question."""

    def __init__(self) -> None:
        self.scans: list[ScanSession] = []

    def offer(self, event: Event) -> bool:
        """Keep it."""
        assert isinstance(event, ScanSession)
        self.scans.append(event)
        return True


@cases("redirect")
def test_redirect(case: Case) -> None:
    """Each profile of a request has its answer, and its scan or none."""
    kept = Kept()
    make: dict[str, Any] = {"client": kept, "site_id": SITE, "secret": case.get("secret", SECRET)}
    if "refused" in case:
        with pytest.raises(ValueError, match=case["refused"]):
            Redirect(**make, destinations=case["destinations"])
        return
    expect = case["expect"]
    answer = Redirect(**make, destinations=case["destinations"]).answer(**case["request"])
    found = {name.lower(): value for name, value in answer.headers.items()}
    expected = {"cache-control": "private, no-store", "x-robots-tag": "noindex"}
    expected |= {
        name: expect[name].replace("{session}", answer.session) for name in {"location", "allow"} & set(expect)
    }
    assert (answer.status, found) == (expect["status"], expected)
    assert len(kept.scans) == ("scan" in expect) == bool(answer.session)
    for scan in kept.scans:
        check_session(answer.session)
        assert (scan.site_id, scan.scan_session_id) == (SITE, answer.session)
        assert abs(scan.scan_time.ToSeconds() - time.time()) < 60
        told = json_format.MessageToDict(scan, preserving_proto_field_name=True)
        assert {k: v for k, v in told.items() if k not in {"site_id", "scan_session_id", "scan_time"}} == expect["scan"]
        assert scan.HasField("user_agent")


def check_session(session: str) -> None:
    """A UUIDv7 of now, signed."""
    name = uuid.UUID(session.rpartition(".")[0])
    assert name.version == 7
    assert abs((name.int >> 80) / 1000 - time.time()) < 60
    assert is_signed(SECRET, SITE, session)


def test_headers_that_are_no_text_harm_nothing() -> None:
    """Servers hand such bytes on as lone surrogates, which a message cannot hold."""
    kept = Kept()
    redirect = Redirect(client=kept, site_id=SITE, secret=SECRET, destinations={"a": "https://shop.example/"})
    answer = redirect.answer("a", {"User-Agent": "\udcff", "Referer": "https://\udc80/"}, query="x=\udcff")
    assert answer.headers["Location"].startswith("https://shop.example/?x=?&qrs=")
    assert (kept.scans[0].user_agent, kept.scans[0].referrer) == ("?", "https://?/")
    for query, forwarded in ((b"x=\xff", "?x=%EF%BF%BD&qrs="), (None, "?qrs=")):  # as some servers hand it on
        assert redirect.answer("a", {}, query=query).headers["Location"].startswith(f"https://shop.example/{forwarded}")


def test_the_secret_is_not_shown() -> None:
    """In no text that may end in a log."""
    redirect = Redirect(client=Kept(), site_id=SITE, secret=SECRET, destinations={})
    assert SECRET not in repr(redirect) + repr(Carry(site_id=SITE, secrets=SECRET))


def consent_of(request: Any) -> str:
    """As carry.yaml has it."""
    return str(request.headers.get("x-consent", "pending"))


def carry() -> Carry:
    """As carry.yaml has it."""
    return Carry(site_id=SITE, secrets=(SECRET, OLDER))


def starlette() -> Any:
    """An async endpoint."""

    async def landing(_request: Request) -> Response:
        await asyncio.sleep(0)
        return PlainTextResponse(current_session(), headers={"set-cookie": "own=1"})

    app = Starlette(routes=[Route("/", landing)])
    app.add_middleware(CarryMiddleware, carry=carry(), consent=consent_of)
    return httpx.ASGITransport(app)


def fastapi() -> Any:
    """An endpoint of FastAPI's thread pool."""
    app = FastAPI()

    @app.get("/", response_class=PlainTextResponse)
    def landing() -> str:
        return current_session()

    app.add_middleware(CarryMiddleware, carry=carry(), consent=consent_of)
    return httpx.ASGITransport(app)


def django_project(name: str, view: Callable[..., Any]) -> None:
    """Django has one project in a process; its views are named by their addresses."""
    urls = sys.modules.setdefault("qrumb_test_urls", types.ModuleType("qrumb_test_urls"))
    urls.__dict__.setdefault("urlpatterns", [])
    urls.__dict__["urlpatterns"].append(path(name, view))
    if not django_settings.configured:
        django_settings.configure(
            SECRET_KEY="for this test",
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF="qrumb_test_urls",
            MIDDLEWARE=["django.middleware.common.CommonMiddleware", "qrumb.django.carry_middleware"],
            QRUMB_CARRY=carry(),
            QRUMB_CONSENT=f"{__name__}.consent_of" if __name__ in sys.modules else consent_of,
        )
        django.setup()


def django_wsgi() -> Any:
    """A view of threads."""

    def landing(_request: HttpRequest) -> HttpResponse:
        return HttpResponse(current_session())

    django_project("sync", landing)
    return httpx.WSGITransport(get_wsgi_application())


def django_asgi() -> Any:
    """A view that is awaited."""

    async def landing(_request: HttpRequest) -> HttpResponse:
        await asyncio.sleep(0)
        return HttpResponse(current_session())

    django_project("async", landing)
    application: Any = get_asgi_application()
    return httpx.ASGITransport(application)


class Browser:
    """Asks a framework's program, with a real cookie jar, in a loop of its own where that is needed."""

    def __init__(self, name: str) -> None:
        self._path = {"django": "/sync", "django async": "/async"}.get(name, "/")
        transport = FRAMEWORKS[name]()
        self._is_async = isinstance(transport, httpx.AsyncBaseTransport)
        client: Any = httpx.AsyncClient if self._is_async else httpx.Client
        self._client = client(transport=transport, base_url="https://shop.example")
        self._runner = asyncio.Runner()

    def get(self, query: str, consent: str, sent: str | None) -> httpx.Response:
        """One request; `sent` is its cookie instead of the jar's."""
        headers = {"x-consent": consent} | ({"cookie": f"qrs={sent}"} if sent else {})
        if sent:
            self._client.cookies.clear()
        answer = self._client.get(f"{self._path}?{query}", headers=headers)
        found: httpx.Response = self._runner.run(answer) if self._is_async else answer
        return found

    def close(self) -> None:
        """End the loop."""
        self._runner.close()


FRAMEWORKS: dict[str, Callable[[], Any]] = {
    "starlette": starlette,
    "fastapi": fastapi,
    "django": django_wsgi,
    "django async": django_asgi,
}


@pytest.fixture(scope="module", params=FRAMEWORKS)
def browser(request: pytest.FixtureRequest) -> Any:
    """A program of each framework."""
    made = Browser(request.param)
    yield made
    made.close()


@cases("carry")
def test_carry(case: Case, browser: Browser) -> None:
    """A framework's program knows its visitor's scan, and keeps it, as far as consent allows."""
    browser._client.cookies.clear()
    sessions = {name: made_session(how) for name, how in case["sessions"].items()}
    for step in case["steps"]:
        sent = step["sent"].format(**sessions) if "sent" in step else None
        answer = browser.get(filled(step.get("query", ""), sessions), step["consent"], sent)
        assert answer.status_code == 200
        assert answer.text == sessions.get(step.get("session", ""), "")
        cookies = [text.strip() for text in answer.headers.get_list("set-cookie") if text.strip().startswith("qrs=")]
        assert len(cookies) == ("cookie" in step)
        if cookies:
            check_cookie(cookies[0], step["cookie"], sessions, case["sessions"])


def filled(query: str, sessions: dict[str, str]) -> str:
    """The query with its sessions."""
    for name, session in sessions.items():
        query = query.replace("{" + name + "}", session)
    return query


def made_session(how: Any) -> str:
    """A session as the case describes it: an age, or how else it was made."""
    how = how if isinstance(how, dict) else {"age": how}
    milliseconds = int((time.time() - how.get("age", 0)) * 1000)
    seventh = uuid.UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | uuid.uuid4().int & (1 << 62) - 1)
    return sign_scan_session_id(how.get("secret", SECRET), how.get("site_id", SITE), how.get("name", str(seventh)))


def check_cookie(text: str, expected: str, sessions: dict[str, str], made: Case) -> None:
    """Kept for the rest of its days, or deleted."""
    value, *parts = text.split("; ")
    attributes = {part.partition("=")[0].lower(): part.partition("=")[2] for part in parts}
    assert {name: attributes.get(name) for name in ("path", "samesite")} == {"path": "/", "samesite": "Lax"}
    assert {"httponly", "secure"} <= set(attributes)
    age = made[expected] if isinstance(made.get(expected), int) else 0
    left = 0 if expected == "deleted" else MOST_SECONDS - age
    assert left - 120 <= int(attributes["max-age"]) <= left
    assert value.removeprefix("qrs=").strip('"') == sessions.get(expected, "")


REDIRECTS = 500


def test_no_redirect_fails_while_the_node_is_away(front: Front) -> None:
    """The queue fills and refuses; every visitor is sent on, and every lost scan is in the report."""
    lost: list[tuple[Event, Exception]] = []
    settings = Settings(max_queue_events=100, max_backoff=0.2)
    front.stop()
    client = Client(front.grpc_url, settings=settings, on_failure=lambda event, error: lost.append((event, error)))
    redirect = Redirect(
        client=client, site_id=f"away{uuid.uuid4().hex[:8]}", secret=SECRET, destinations={"a": "https://a.example/"}
    )
    try:
        answers = [redirect.answer("a", BROWSER) for _ in range(REDIRECTS)]
        assert {answer.status for answer in answers} == {302}
        assert len({answer.session for answer in answers}) == REDIRECTS
        assert client.counters.failed == len(lost) == REDIRECTS - 100
        assert {type(error) for _event, error in lost} == {QueueFullError}
        front.start()
        assert client.flush(60)
    finally:
        front.start()
        client.close(10)
    assert client.counters.accepted == 100
    arrived = {event["event_id"] for call in front.calls(redirect.site_id) for event in call["events"]}
    told = {event.scan_session_id for event, _error in lost}
    assert arrived | told == {answer.session for answer in answers}
    assert redirect.answer("a", BROWSER).status == 302, "a closed client loses the scan, not the visitor"
    assert client.counters.failed == REDIRECTS - 100 + 1


async def test_a_redirect_works_with_the_async_client(front: Front) -> None:
    """Without being awaited."""
    site = f"async{uuid.uuid4().hex[:8]}"
    async with AsyncClient(front.grpc_url) as client:
        redirect = Redirect(client=client, site_id=site, secret=SECRET, destinations={"a": "https://a.example/"})
        answer = redirect.answer("a", BROWSER)
        assert await client.flush(30)
    assert [event["event_id"] for call in front.calls(site) for event in call["events"]] == [answer.session]


async def test_the_examples_of_the_page_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/redirect.md, its blocks one after another in one program."""
    page = (CASES.parent.parent / "docs" / "redirect.md").read_text(encoding="utf-8")
    monkeypatch.setenv("QRUMB_URL", "grpc://127.0.0.1:9")
    monkeypatch.setenv("QRUMB_SESSION_SECRET", SECRET)
    program: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, program)
    client: Client = program["client"]
    try:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(program["app"]),
            base_url="https://shop.example",
            verify=NO_TLS,
        ) as browser:
            landed = await browser.get("/q/poster-7?utm=1")
            assert landed.status_code == 302
            assert (await browser.head("/q/poster-7")).headers["location"] == "https://shop.example/"
            location, _, session = landed.headers["location"].partition("&qrs=")
            assert location == "https://shop.example/?utm=1"
            browser.cookies.set("consent", "granted")
            assert (await browser.post(f"/checkout?qrs={session}")).json() == session
            assert (await browser.post("/checkout")).json() == session, "the cookie has it"
        assert client.counters.sent == 3
    finally:
        with pytest.raises(UndeliveredError):
            client.close(0)


def test_a_redirect_costs_less_than_a_millisecond() -> None:
    """Of processor time, with the client's queue: the promise of docs/redirect.md."""
    client = Client("grpc://127.0.0.1:9", settings=Settings(max_queue_events=1, max_batch_delay=60))
    redirect = Redirect(client=client, site_id=SITE, secret=SECRET, destinations={"a": "https://a.example/"})
    try:
        redirect.answer("a", BROWSER)
        started = time.thread_time()
        for _ in range(1000):
            redirect.answer("a", BROWSER, query="utm_source=poster", client_ip="203.0.113.7", labels={"run": 1})
        assert time.thread_time() - started < 1.0
    finally:
        with pytest.raises(UndeliveredError):
            client.close(0)
