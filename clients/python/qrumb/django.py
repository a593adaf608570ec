"""Carries scans through Django: `pip install 'qrumb[django]'`.

MIDDLEWARE = [..., "qrumb.django.carry_middleware"]
QRUMB_CARRY = Carry(site_id="shop", secrets=secret)
QRUMB_CONSENT = "shop.consent.read"  # a function of the request, or its name: granted, denied or pending
"""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from django.utils.module_loading import import_string

from qrumb.carry import Carried, Carry, carrying

__all__ = ["carry_middleware"]


@sync_and_async_middleware
def carry_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Makes the scan that a request carries its `current_session()`."""
    carry: Carry = settings.QRUMB_CARRY
    consent = settings.QRUMB_CONSENT
    read_consent: Callable[[HttpRequest], str] = import_string(consent) if isinstance(consent, str) else consent

    def read(request: HttpRequest) -> Carried:
        cookie = request.COOKIES.get(carry.cookie, "")
        return carry.read(request.META.get("QUERY_STRING", ""), cookie, read_consent(request))

    async def answer_async(request: HttpRequest) -> HttpResponseBase:
        carried = read(request)
        with carrying(carried):
            waiting: Awaitable[HttpResponseBase] = get_response(request)
            return _kept(carry, carried, await waiting)

    def answer(request: HttpRequest) -> HttpResponseBase:
        carried = read(request)
        with carrying(carried):
            return _kept(carry, carried, get_response(request))

    return answer_async if iscoroutinefunction(get_response) else answer


def _kept(carry: Carry, carried: Carried, response: HttpResponseBase) -> HttpResponseBase:
    """The answer with the cookie that it needs."""
    if text := carry.set_cookie(carried):
        response.cookies.load(text)
    return response
