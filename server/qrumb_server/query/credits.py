"""Conversions divided among the QR codes whose scans led to them; pure arithmetic, without rounding errors.

Invariant: for each model and currency the credits add up to the conversions exactly, refunds included. A split is done
in whole units of the currency (cents); what does not divide goes to the largest share, of equal ones to the earliest
scan's. A refund takes back from each code in proportion to what its purchases gave. What no scan led to is credited to
"", so nothing is lost. The order of conversions does not matter.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from qrumb.v1.query_service_pb2 import GetAttributionRequest
from qrumb_server.enrich.currency import currency_decimals

__all__ = ["CREDIT_DECIMALS", "MODELS", "Conversion", "Credits", "Scan", "divide"]

CREDIT_DECIMALS: Final = 6
"""Of one conversion's shares; they add up to 1 exactly."""
# As many as the column of amounts has.
_MAX_DECIMALS: Final = 4
_HALF_LIFE_MS: Final = 7 * 86_400_000
# Of a weight that decays: beyond forty half-lives before the last scan a share is not a unit of any amount.
_DECAY_UNITS: Final = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One scan on the way to a conversion."""

    qr_code_id: str
    time_ms: int
    scan_session_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """A conversion, or a refund of one."""

    event_id: str
    time_ms: int
    scan_session_id: str
    user_id: str
    amount: Decimal | None
    """None: worth nothing that was named."""
    currency: str
    is_refund: bool
    is_counted: bool
    """False for purchases before the range, which are known for the sake of their refunds alone."""
    path: Sequence[Scan]
    """The scans that led to it, the earliest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits:
    """What each QR code gets by one model."""

    conversions: Mapping[str, Decimal]
    amounts: Mapping[str, Mapping[str, Decimal]]
    """By code and currency."""


def divide(conversions: Iterable[Conversion], model: int) -> Credits:
    """Divide all of them by one model, a value of GetAttributionRequest.Model."""
    ordered = sorted(conversions, key=lambda one: (one.time_ms, one.event_id))
    purchases = _Purchases(one for one in ordered if not one.is_refund)
    counts: defaultdict[str, Decimal] = defaultdict(Decimal)
    amounts: defaultdict[str, defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for one in ordered:
        if not one.is_counted:
            continue
        weights = _refund_weights(one, purchases.of(one), model) if one.is_refund else _weights(one, model)
        if not one.is_refund:
            for code, credit in _split(Decimal(1), CREDIT_DECIMALS, weights).items():
                counts[code] += credit
        if one.amount is not None:
            for code, credit in _money(one, weights).items():
                amounts[code][one.currency] += credit
    return Credits(conversions=counts, amounts=amounts)


class _Purchases:
    """Those that a refund may be of."""

    def __init__(self, conversions: Iterable[Conversion]) -> None:
        self._by_session: defaultdict[tuple[str, str], list[Conversion]] = defaultdict(list)
        self._by_user: defaultdict[tuple[str, str], list[Conversion]] = defaultdict(list)
        for one in conversions:
            if one.amount is not None and one.scan_session_id:
                self._by_session[one.scan_session_id, one.currency].append(one)
            if one.amount is not None and one.user_id:
                self._by_user[one.user_id, one.currency].append(one)

    def of(self, refund: Conversion) -> Sequence[Conversion]:
        """Of its session, else of its user; those before it, unless its clock says that there are none."""
        found = self._by_session.get((refund.scan_session_id, refund.currency)) or self._by_user.get(
            (refund.user_id, refund.currency), []
        )
        return [one for one in found if one.time_ms <= refund.time_ms] or found


def _refund_weights(refund: Conversion, purchases: Sequence[Conversion], model: int) -> Mapping[str, int]:
    """What its purchases gave to each code; where they gave nothing, as a conversion of its own would be divided."""
    gave: defaultdict[str, int] = defaultdict(int)
    for purchase in purchases:
        for code, credit in _money(purchase, _weights(purchase, model)).items():
            gave[code] += int(credit.scaleb(_MAX_DECIMALS))
    return gave if sum(gave.values()) > 0 else _weights(purchases[-1] if purchases else refund, model)


def _weights(conversion: Conversion, model: int) -> Mapping[str, int]:
    """The parts of a conversion by code, in the order of their first scans."""
    weights: dict[str, int] = {}
    path = conversion.path
    for scan, weight in zip(path, MODELS[model](path), strict=True):
        if weight:
            weights[scan.qr_code_id] = weights.get(scan.qr_code_id, 0) + weight
    return weights or {"": 1}


def _money(conversion: Conversion, weights: Mapping[str, int]) -> Mapping[str, Decimal]:
    amount = conversion.amount or Decimal(0)
    decimals = currency_decimals().get(conversion.currency, _MAX_DECIMALS)
    if amount != round(amount, decimals):  # a currency whose cents were abolished meanwhile
        decimals = _MAX_DECIMALS
    return _split(amount, decimals, weights)


def _split(amount: Decimal, decimals: int, weights: Mapping[str, int]) -> Mapping[str, Decimal]:
    """Parts of the amount in units of so many decimals, each towards zero; the rest goes to the largest weight."""
    units, whole = int(amount.scaleb(decimals)), sum(weights.values())
    sign = -1 if units < 0 else 1
    parts = {code: sign * (abs(units) * weight // whole) for code, weight in weights.items()}
    parts[max(weights, key=weights.__getitem__)] += units - sum(parts.values())
    return {code: Decimal(part).scaleb(-decimals) for code, part in parts.items()}


def _first(path: Sequence[Scan]) -> Sequence[int]:
    return [int(place == 0) for place in range(len(path))]


def _last(path: Sequence[Scan]) -> Sequence[int]:
    return [int(place == len(path) - 1) for place in range(len(path))]


def _linear(path: Sequence[Scan]) -> Sequence[int]:
    return [1] * len(path)


def _position_based(path: Sequence[Scan]) -> Sequence[int]:
    """40, 20 and 40 %, where the 20 are shared by those in the middle."""
    between = len(path) - 2
    if between <= 0:
        return [1] * len(path)
    return [2 * between, *[1] * between, 2 * between]


def _time_decay(path: Sequence[Scan]) -> Sequence[int]:
    """Relative to the last scan, so that it does not matter how long after it the conversion came."""
    return [round(_DECAY_UNITS * 0.5 ** ((path[-1].time_ms - scan.time_ms) / _HALF_LIFE_MS)) for scan in path]


MODELS: Final[Mapping[int, Callable[[Sequence[Scan]], Sequence[int]]]] = {
    GetAttributionRequest.FIRST: _first,
    GetAttributionRequest.LAST: _last,
    GetAttributionRequest.LINEAR: _linear,
    GetAttributionRequest.POSITION_BASED: _position_based,
    GetAttributionRequest.TIME_DECAY: _time_decay,
}
"""By the contract's value: the weight of each scan of a path, whole numbers of which at least one is not zero."""
