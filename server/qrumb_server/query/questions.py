"""What the contract's annotations forbid in questions about many events; each refusal names its field.

Checked by hand, see docs/decisions/0023-checks-by-hand.md; tests/contract/test_request_rules.py compares the two.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.model import is_site_id
from qrumb_server.reasons import calls
from qrumb_server.rpc.faults import RequestFault

__all__ = ["check_attribution", "check_counts", "check_funnel", "check_number", "check_site"]

MAX_PAGE: Final = 10_000
MAX_BUCKET_SECONDS: Final = 86_400
MAX_VALUES: Final = 100
MAX_CHARACTERS: Final = 128
MAX_TOKEN_CHARACTERS: Final = 4_096
MAX_WINDOW_DAYS: Final = 400
_is_zone = re.compile(r"[A-Za-z0-9_+/-]{0,64}").fullmatch
_Request = pb.CountEventsRequest
_FOLLOWED: Final = (_Request.QR_CODE, _Request.COUNTRY, _Request.DEVICE, _Request.CAMPAIGN)


def check_counts(request: pb.CountEventsRequest) -> None:
    """Raises RequestFault."""
    check_site(request.site_id)
    check_number("bucket_seconds", request.bucket_seconds, MAX_BUCKET_SECONDS)
    _check_values("bucket", [request.bucket], _Request.Bucket)
    if request.bucket and request.bucket_seconds:
        raise RequestFault(calls.BUCKET_TWICE, field="bucket_seconds")
    _check_values("group_by", request.group_by, _Request.Dimension, _Request.Dimension.values()[1:])
    _check_values("fraud", [request.fraud], _Request.Fraud)
    _check_zone_and_page(request)
    for name in ("qr_code_ids", "sources", "names", "country_codes", "device_types", "conversion_names"):
        _check_texts(name, getattr(request, name))


def check_funnel(request: pb.GetFunnelRequest) -> None:
    """Raises RequestFault."""
    check_site(request.site_id)
    _check_values("bucket", [request.bucket], _Request.Bucket)
    _check_values("group_by", request.group_by, _Request.Dimension, _FOLLOWED)
    _check_zone_and_page(request)
    for name in ("qr_code_ids", "country_codes", "device_types", "conversion_names"):
        _check_texts(name, getattr(request, name))


def check_attribution(request: pb.GetAttributionRequest) -> None:
    """Raises RequestFault."""
    check_site(request.site_id)
    models = pb.GetAttributionRequest.Model
    _check_values("models", request.models, models, models.values()[1:])
    check_number("window_days", request.window_days, MAX_WINDOW_DAYS)
    _check_texts("conversion_names", request.conversion_names)


def check_site(site_id: str) -> None:
    """Raises RequestFault for what no site is called."""
    if not is_site_id(site_id):
        raise RequestFault(calls.SITE_ID_FORM, field="site_id")


def check_number(field: str, value: int, limit: int) -> None:
    """Raises RequestFault above the limit."""
    if value > limit:
        raise RequestFault(calls.NUMBER_TOO_LARGE, field=field, limit=limit)


def _check_zone_and_page(request: pb.CountEventsRequest | pb.GetFunnelRequest) -> None:
    if not _is_zone(request.time_zone):
        raise RequestFault(calls.TIME_ZONE_UNKNOWN, field="time_zone")
    _check_texts("campaign_key", [request.campaign_key])
    check_number("page_size", request.page_size, MAX_PAGE)
    if len(request.page_token) > MAX_TOKEN_CHARACTERS:
        raise RequestFault(calls.PAGE_TOKEN_FORM, field="page_token")


def _check_values(field: str, values: Sequence[int], kind: Any, allowed: Sequence[int] | None = None) -> None:
    known = kind.values() if allowed is None else allowed
    if not set(known).issuperset(values):
        raise RequestFault(calls.VALUE_UNKNOWN, field=field, names=", ".join(map(kind.Name, known)))
    if len(set(values)) < len(values):
        raise RequestFault(calls.NAMED_TWICE, field=field)


def _check_texts(field: str, texts: Sequence[str]) -> None:
    if len(texts) > MAX_VALUES:
        raise RequestFault(calls.LIST_TOO_LONG, field=field, limit=MAX_VALUES)
    if any(len(text) > MAX_CHARACTERS for text in texts):
        raise RequestFault(calls.TEXT_TOO_LONG, field=field, limit=MAX_CHARACTERS)
