"""Credits add up to the cent, for any history and any order of arrival."""

from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrumb.v1.query_service_pb2 import GetAttributionRequest
from qrumb_server.query.credits import MODELS, Conversion, Scan, divide

DAY_MS = 86_400_000
DECIMALS = {"EUR": 2, "JPY": 0, "KWD": 3, "XAU": 4, "old": 4}

scans = st.builds(
    Scan,
    qr_code_id=st.sampled_from(["a", "b", "c", "d"]),
    time_ms=st.integers(0, 400 * DAY_MS),
    scan_session_id=st.text(max_size=3),
)


@st.composite
def conversions(draw: st.DrawFn) -> Conversion:
    currency = draw(st.sampled_from(list(DECIMALS)))
    is_refund = draw(st.booleans())
    largest = draw(st.sampled_from([1, 7, 100, 10**13]))
    units = draw(st.integers(-largest if is_refund else 0, 0 if is_refund else largest))
    return Conversion(
        event_id=draw(st.uuids()).hex,
        time_ms=draw(st.integers(0, 10)),
        scan_session_id=draw(st.sampled_from(["", "s1", "s2"])),
        user_id=draw(st.sampled_from(["", "ann", "bob"])),
        amount=draw(st.sampled_from([None, Decimal(units).scaleb(-DECIMALS[currency])])),
        currency=currency,
        is_refund=is_refund,
        is_counted=draw(st.booleans()),
        path=sorted(draw(st.lists(scans, max_size=6)), key=lambda one: one.time_ms),
    )


@given(history=st.lists(conversions(), max_size=12, unique_by=lambda one: one.event_id), seed=st.randoms())
def test_credits_are_the_conversions(history: list[Conversion], seed: object) -> None:
    """For each model: the sums, by currency and in number; whole cents; the same in any order."""
    shuffled = list(history)
    seed.shuffle(shuffled)
    meant: defaultdict[str, Decimal] = defaultdict(Decimal)
    for one in history:
        if one.is_counted and one.amount is not None:
            meant[one.currency] += one.amount
    for model in MODELS:
        found = divide(history, model)
        assert divide(shuffled, model) == found
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        for amounts in found.amounts.values():
            for currency, amount in amounts.items():
                sums[currency] += amount
                assert amount == round(amount, DECIMALS[currency])
        assert sums == meant
        assert sum(found.conversions.values()) == sum(one.is_counted and not one.is_refund for one in history)


@given(path=st.lists(scans, min_size=1, max_size=20))
def test_every_model_gives_all_of_it(path: list[Scan]) -> None:
    path.sort(key=lambda one: one.time_ms)
    for weigh in MODELS.values():
        weights = weigh(path)
        assert len(weights) == len(path)
        assert min(weights) >= 0
        assert sum(weights) > 0


@given(value=st.integers(1, 10**12), path=st.lists(scans, min_size=1, max_size=6))
def test_a_refund_of_everything_leaves_nothing(value: int, path: list[Scan]) -> None:
    """Each code gives back exactly what it got."""
    path.sort(key=lambda one: one.time_ms)
    amount = Decimal(value).scaleb(-2)
    bought = conversion("purchase", amount, path)
    returned = conversion("refund", -amount, [], is_refund=True)
    for model in MODELS:
        for amounts in divide([returned, bought], model).amounts.values():
            assert set(amounts.values()) == {Decimal(0)}


def conversion(event_id: str, amount: Decimal, path: list[Scan], *, is_refund: bool = False) -> Conversion:
    return Conversion(
        event_id=event_id, time_ms=400 * DAY_MS + is_refund, scan_session_id="s", user_id="", amount=amount,
        currency="EUR", is_refund=is_refund, is_counted=True, path=path,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("model", "codes", "amount", "meant"),
    [
        ("FIRST", "abc", "10.00", {"a": "10.00"}),
        ("LAST", "abc", "10.00", {"c": "10.00"}),
        ("LINEAR", "abc", "10.00", {"a": "3.34", "b": "3.33", "c": "3.33"}),
        ("LINEAR", "aba", "10.00", {"a": "6.67", "b": "3.33"}),
        ("LINEAR", "abc", "0.01", {"a": "0.01", "b": "0.00", "c": "0.00"}),
        ("LINEAR", "", "10.00", {"": "10.00"}),
        ("POSITION_BASED", "a", "10.00", {"a": "10.00"}),
        ("POSITION_BASED", "ab", "10.01", {"a": "5.01", "b": "5.00"}),
        ("POSITION_BASED", "abc", "10.00", {"a": "4.00", "b": "2.00", "c": "4.00"}),
        ("POSITION_BASED", "abcd", "10.00", {"a": "4.00", "b": "1.00", "c": "1.00", "d": "4.00"}),
        # A scan each seven days: 1, 2 and 4 sevenths.
        ("TIME_DECAY", "abc", "7.00", {"a": "1.00", "b": "2.00", "c": "4.00"}),
        ("TIME_DECAY", "abc", "-7.01", {"a": "-1.00", "b": "-2.00", "c": "-4.01"}),
    ],
)
def test_models_by_hand(model: str, codes: str, amount: str, meant: dict[str, str]) -> None:
    path = [Scan(qr_code_id=code, time_ms=7 * DAY_MS * place) for place, code in enumerate(codes)]
    found = divide([conversion("e", Decimal(amount), path)], GetAttributionRequest.Model.Value(model))
    assert {code: str(amounts["EUR"]) for code, amounts in found.amounts.items()} == meant
