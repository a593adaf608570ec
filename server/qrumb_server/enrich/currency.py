"""ISO 4217: which currency codes there are, and how many decimals an amount of each has.

Source: the package iso4217, which carries the maintenance agency's list.
"""

from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache

from iso4217 import Currency

__all__ = ["currency_decimals", "quantize"]

# For testing (XTS) and for no currency (XXX): nothing that a conversion could be worth.
NOT_MONEY = frozenset({"XTS", "XXX"})


@cache
def currency_decimals() -> dict[str, int]:
    """Decimals by code, such as {"EUR": 2, "JPY": 0}. Codes without a minor unit (gold) count as 4."""
    return {
        currency.code: 4 if currency.exponent is None else currency.exponent
        for currency in Currency
        if currency.code not in NOT_MONEY
    }


@cache
def _step(decimals: int) -> Decimal:
    return Decimal(1).scaleb(-decimals)


def quantize(amount: float, decimals: int) -> tuple[str, bool]:
    """The amount as decimal text with that many decimals, rounded half to even, and whether rounding changed it.

    The shortest decimal that reads back as the same double counts as what was meant: 49.9 is 49.90 exactly.
    """
    meant = Decimal(repr(amount))
    rounded = meant.quantize(_step(decimals), ROUND_HALF_EVEN) or _step(decimals) * 0  # there is no -0.00
    return format(rounded, "f"), rounded != meant
