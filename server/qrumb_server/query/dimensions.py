"""What events are told apart and chosen by, in SQL over a row of events.valid_events or of a view of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from qrumb.v1.query_service_pb2 import CountEventsRequest

__all__ = [
    "ATTRIBUTED",
    "CAMPAIGN",
    "CAMPAIGN_LABEL",
    "COLUMNS",
    "LENT_TOLD",
    "NAME",
    "PATH_TOLD",
    "PATH_WINDOW_MS",
    "ROW_TOLD",
    "SCANS_TOLD",
    "TOLD_BY",
    "Filters",
    "campaign_parameters",
    "converts",
    "dimension_column",
    "is_conversion_name",
    "is_money",
    "is_money_name",
    "named_in",
    "told_by",
]

DEFAULT_CAMPAIGN: Final = "utm_campaign"
NAME: Final = "if(source = 'browser', event_type, event_name)"
# The sender's own value; what is not text is shown as its JSON. Cut, because it becomes part of a page's token.
CAMPAIGN: Final = (
    "substringUTF8(if(JSONType(metadata, {campaign:String}) = 'String', "
    "JSONExtractString(metadata, {campaign:String}), JSONExtractRaw(metadata, {campaign:String})), 1, 128)"
)
CAMPAIGN_LABEL: Final = CAMPAIGN.replace("metadata", "labels")
"""The same of a scan."""
COLUMNS: Final[Mapping[int, tuple[str, str]]] = {
    CountEventsRequest.SOURCE: ("source", "source"),
    CountEventsRequest.NAME: ("name", NAME),
    CountEventsRequest.QR_CODE: ("qr_code_id", "qr_code_id"),
    CountEventsRequest.COUNTRY: ("country_code", "country_code"),
    CountEventsRequest.DEVICE: ("device_type", "device_type"),
    CountEventsRequest.CAMPAIGN: ("campaign", CAMPAIGN),
}
"""By dimension: the field of an answer, and the expression."""
ATTRIBUTED: Final = frozenset(COLUMNS) - {CountEventsRequest.SOURCE, CountEventsRequest.NAME}
"""Those that a row alone does not tell: its session may have come later, or the other side's copy completes it."""

ROW_TOLD: Final = "row"
TOLD_BY: Final[Mapping[str, str]] = {"qr_code_id": "code", "country_code": "country", "device_type": "device"}
"""Columns that sums tell apart, one at a time, and how their column `told_by` calls these sums. Sums that told all of
them apart would be nearly as many as the rows."""
PATH_TOLD: Final = "path"
"""Further sums, of unmarked server events alone: by the code of their own session's scan where it is not older than
PATH_WINDOW_MS, of events that have no session by their own, else by none. Most conversions are credited to it whole."""
LENT_TOLD: Final = "lent"
"""The same of events with a session and no such scan, that name no user: the session may lend them one."""
PATH_WINDOW_MS: Final = 30 * 86_400_000
SCANS_TOLD: Final = "scan"
"""Further sums, of scans alone: what these said of country and device, both told apart."""


def dimension_column(dimension: int) -> str:
    """The name of a dimension's column in a result."""
    return f"by_{COLUMNS[dimension][0]}"


def converts(names: Sequence[str], name: str = "event_name") -> str:
    """Is the row a conversion? Of these names (`{conversions:Array(String)}`), or any but a refund."""
    return f"source = 'server' AND {is_conversion_name(names, name)}"


def is_conversion_name(names: Sequence[str], name: str) -> str:
    """Is a server event of this `name` a conversion?"""
    return f"{name} IN {{conversions:Array(String)}}" if names else f"{name} != 'refund'"


def is_money(names: Sequence[str]) -> str:
    """Does the row's amount count? That of a conversion; and of a refund, which lowers what its code earned."""
    return f"source = 'server' AND conversion_value IS NOT NULL AND ({is_money_name(names, 'event_name')})"


def is_money_name(names: Sequence[str], name: str) -> str:
    """Does the amount of a server event of this `name` count?"""
    return f"{name} IN {{conversions:Array(String)}} OR {name} = 'refund'" if names else "1"


def told_by(dimensions: Iterable[int], filters: "Filters") -> str | None:
    """Which sums answer a question with these dimensions and filters; None where none do."""
    wanted = {COLUMNS[one][0] for one in ATTRIBUTED.intersection(dimensions)} | (filters.columns & TOLD_BY.keys())
    if not wanted:
        return ROW_TOLD
    return TOLD_BY.get(wanted.pop()) if len(wanted) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Conditions that rows must meet, and the values that they name."""

    conditions: Sequence[str] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    columns: frozenset[str] = frozenset()
    """The expressions that are chosen by."""

    @classmethod
    def of(cls, wanted: Iterable[tuple[str, str, Sequence[str]]]) -> "Filters":
        """From the name of a parameter, an expression and the values that it may have; none: all."""
        chosen = [(name, expression, list(values)) for name, expression, values in wanted if values]
        return cls(
            conditions=[f"{expression} IN {{{name}:Array(String)}}" for name, expression, _values in chosen],
            parameters={name: values for name, _expression, values in chosen},
            columns=frozenset(expression for _name, expression, _values in chosen),
        )

    @property
    def sql(self) -> str:
        """All of them, each after an AND."""
        return "".join(f" AND {condition}" for condition in self.conditions)


def named_in(sql: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that the statement has a placeholder for."""
    return {name: value for name, value in values.items() if f"{{{name}:" in sql}


def campaign_parameters(key: str) -> dict[str, str]:
    """The value that CAMPAIGN names."""
    return {"campaign": key or DEFAULT_CAMPAIGN}
