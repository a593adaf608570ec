"""Who may call what: the table of the contract's methods, applied before a servicer sees the call.

A method that is not in the table is served to this node's own processes only.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any, Final

from qrumb_server.access.admission import AccessDenied, Admission
from qrumb_server.access.keys import Scope
from qrumb_server.access.quota import Quotas
from qrumb_server.reasons import calls
from qrumb_server.rpc.caller import GATEWAY_PEER, is_from_gateway, said
from qrumb_server.rpc.faults import RequestFault
from qrumb_server.rpc.json_opening import JSON_KINDS
from qrumb_server.rpc.opened import Opened
from qrumb_server.rpc.wrappers import Context, Method, Streams, Unary

__all__ = ["RULES", "Access", "Rule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a method takes."""

    sites: Callable[[Any], Mapping[str, int]]
    """Sites that a request is about, and how many events of each it has."""
    scope: Scope | None = None
    """What the caller's key must be for. None: browsers call it; the page's origin is looked at in place of a key."""
    is_metered: bool = False
    """Its events count towards the site's quota."""


def _of_request(request: Any) -> Mapping[str, int]:
    return {request.site_id: 1}


def _of_opened(request: Opened) -> Mapping[str, int]:
    return request.sites


_COLLECTOR: Final = "/qrumb.v1.CollectorService/"
_SESSIONS: Final = "/qrumb.v1.ScanSessionService/"
_QUERY: Final = "/qrumb.v1.QueryService/"
RULES: Final[Mapping[str, Rule]] = {
    _COLLECTOR + "CollectBrowserEvent": Rule(sites=_of_opened, is_metered=True),
    _COLLECTOR + "BatchCollectBrowserEvents": Rule(sites=_of_opened, is_metered=True),
    _COLLECTOR + "CollectPixel": Rule(sites=_of_request, is_metered=True),
    _COLLECTOR + "CollectServerEvent": Rule(sites=_of_opened, scope=Scope.COLLECT, is_metered=True),
    _COLLECTOR + "BatchCollectServerEvents": Rule(sites=_of_opened, scope=Scope.COLLECT, is_metered=True),
    _COLLECTOR + "StreamServerEvents": Rule(sites=_of_opened, scope=Scope.COLLECT, is_metered=True),
    _SESSIONS + "RegisterScanSession": Rule(sites=_of_opened, scope=Scope.COLLECT, is_metered=True),
    _SESSIONS + "BatchRegisterScanSessions": Rule(sites=_of_opened, scope=Scope.COLLECT, is_metered=True),
    _SESSIONS + "GetScanSession": Rule(sites=_of_request, scope=Scope.QUERY),
    _QUERY + "GetReceipt": Rule(sites=_of_request, scope=Scope.QUERY),
    _QUERY + "ListRejectedEvents": Rule(sites=_of_request, scope=Scope.QUERY),
    _QUERY + "GetLedger": Rule(sites=_of_request, scope=Scope.QUERY),
    _QUERY + "TailEvents": Rule(sites=_of_request, scope=Scope.QUERY),
    _QUERY + "CountEvents": Rule(sites=_of_request, scope=Scope.QUERY),
    _QUERY + "GetFunnel": Rule(sites=_of_request, scope=Scope.QUERY),
    _QUERY + "GetAttribution": Rule(sites=_of_request, scope=Scope.QUERY),
    _QUERY + "ListAlarms": Rule(sites=_of_request, scope=Scope.QUERY),
    _QUERY + "ListSuspiciousIdentifiers": Rule(sites=_of_request, scope=Scope.QUERY),
    "/qrumb.v1.PrivacyService/EraseSubject": Rule(sites=_of_request, scope=Scope.ADMIN),
    "/qrumb.v1.PrivacyService/ExportSubject": Rule(sites=_of_request, scope=Scope.ADMIN),
    "/qrumb.v1.ReplayService/ReplayRejectedEvents": Rule(sites=_of_request, scope=Scope.ADMIN),
}
# Methods without a table's entry, for every caller. The validators keep nothing and read a text, whose site they
# cannot know before: they look at the caller's key themselves.
OPEN: Final = ("/grpc.health.v1.Health/", "/qrumb.v1.ValidatorService/")


def typed_method(method: str) -> str:
    """The contract's method that a call of a gateway with a JSON body stands for; any other as it is."""
    return kind.typed if (kind := JSON_KINDS.get(method)) else method


# Those whose callers need a key before anything of their message is looked at.
_KEYED: Final[Mapping[str, Rule]] = {
    method: rule for method in (*RULES, *JSON_KINDS) if (rule := RULES[typed_method(method)]).scope is not None
}


_as_page: Final = re.compile(r"(https?://[^/?#]+)(?:[/?#].*)?", re.IGNORECASE).fullmatch


class Access:
    """Wrapper, the innermost one: it sees the requests as the servicer does.

    Args:
        admission: decides.
        quotas: what is left to each site.
        passed_on: beginnings of methods that this process hands on unread, to one that checks them.
        count: told the reason of each refused call.
    """

    def __init__(
        self,
        admission: Admission,
        *,
        quotas: Quotas,
        passed_on: tuple[str, ...] = (),
        count: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self._admission = admission
        self._quotas = quotas
        self._unchecked = OPEN + passed_on
        self._count = count

    def unary(self, method: Method, call: Unary) -> Unary:
        """The method's rule before the call."""
        if method.name.startswith(self._unchecked):
            return call
        rule = RULES.get(typed_method(method.name))
        if rule is None:
            return _for_own_node(call)
        return self._checked(rule, _for_gateways(call) if method.name in JSON_KINDS else call)

    def streams(self, method: Method, call: Streams) -> Streams:
        """The method's rule before each message of the stream."""
        if method.name.startswith(self._unchecked):
            return call
        if method.name not in RULES:
            raise NotImplementedError("internal services have unary methods only")
        return self._checked_stream(RULES[method.name], call)

    def may_begin(self, method: str, context: Context) -> None:
        """Refuse at once who has no key for such calls, before anything of the message is looked at."""
        rule = _KEYED.get(method)
        if rule is not None:
            self._check(rule, (), context)

    def lets_in(self, rule: Rule, site_id: str, context: Context) -> bool:
        """Whether the rule lets in a call about one site; nothing is counted or taken."""
        try:
            self._allow(rule, (site_id,), context)
        except AccessDenied:
            return False
        return True

    def quota_of(self, rule: Rule, site_id: str) -> Callable[[int], float]:
        """Takes room for so many events of a site; returns 0, or the seconds until there is room.

        For one that is let in, and as long as that counts.
        """
        name, quota = self._admission.quota(site_id)
        return partial(self._quotas.take, (name, rule.scope), quota=quota)

    def may_look_up(self, context: Context, site_ids: Iterable[str]) -> bool:
        """Whether a dry run may be told what the store knows of its sites' visitors."""
        return self._admission.has_key(site_ids, said(context, "authorization"))

    def _checked(self, rule: Rule, call: Unary) -> Unary:
        async def checked(request: Any, context: Context) -> Any:
            sites = rule.sites(request)
            self._check(rule, sites, context)
            for site_id, seconds in self._over_quota(rule, sites) if rule.is_metered else ():
                self._count(calls.SITE_QUOTA.name)
                sender = f"the site {site_id}" if site_id else "what names no site"
                raise RequestFault(calls.SITE_QUOTA, retry_after_seconds=ceil(seconds), sender=sender)
            return await call(request, context)

        return checked

    def _checked_stream(self, rule: Rule, call: Streams) -> Streams:
        """Checks each message, since a key may be revoked meanwhile; over the quota the sender is held back."""

        async def admitted(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
            async for request in requests:
                sites = rule.sites(request)
                self._check(rule, sites, context)
                while waits := [  # noqa: ASYNC110  (nothing tells when there is room again)
                    seconds for _site_id, seconds in self._over_quota(rule, sites)
                ]:
                    await asyncio.sleep(max(waits))  # until there is room
                yield request

        async def checked(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
            # At once: who has no key must not hold streams open.
            self._check(rule, (), context)
            async for response in call(admitted(requests, context), context):
                yield response

        return checked

    def _check(self, rule: Rule, site_ids: Iterable[str], context: Context) -> None:
        try:
            self._allow(rule, site_ids, context)
        except AccessDenied as denied:
            self._count(denied.reason.name)
            raise RequestFault(denied.reason, **denied.values) from denied

    def _allow(self, rule: Rule, site_ids: Iterable[str], context: Context) -> None:
        if rule.scope is None:
            self._admission.check_origin(site_ids, _page_origin(context))
        else:
            self._admission.check_key(site_ids, said(context, "authorization"), rule.scope)

    def _over_quota(self, rule: Rule, sites: Mapping[str, int]) -> Iterator[tuple[str, float]]:
        """Sites that have no room for their events of a request, and for how long."""
        for site_id, number in sites.items():
            name, seconds = self._take(rule, site_id, number)
            if seconds:
                yield name, seconds

    def _take(self, rule: Rule, site_id: str, number: int) -> tuple[str, float]:
        """Whose quota it is, and 0 or the seconds until there is room."""
        name, quota = self._admission.quota(site_id)
        # Apart, so that strangers cannot use up what the site's own backends need.
        return name, self._quotas.take((name, rule.scope), number, quota)


def _for_own_node(call: Unary) -> Unary:
    """Internal services: for callers on our unix sockets, to which the gateway routes no call."""

    async def checked(request: Any, context: Context) -> Any:
        if not context.peer().startswith(GATEWAY_PEER):
            raise RequestFault(calls.UNKNOWN_METHOD)
        return await call(request, context)

    return checked


def _for_gateways(call: Unary) -> Unary:
    """What only a gateway may say, in the name of those who call it."""

    async def checked(request: Any, context: Context) -> Any:
        if not is_from_gateway(context):
            raise RequestFault(calls.UNKNOWN_METHOD)
        return await call(request, context)

    return checked


def _page_origin(context: Context) -> str:
    """The origin of the page that calls, as far as its browser says: for an image only in Referer."""
    if stated := said(context, "origin"):
        return stated
    if not (referrer := said(context, "referer")):
        return ""
    found = _as_page(referrer)
    return found[1].lower() if found else ""
