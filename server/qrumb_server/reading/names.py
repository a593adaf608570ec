"""What an unknown name was meant to be: the nearest field, or the place where such a thing belongs."""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import Descriptor
from google.protobuf.struct_pb2 import Struct

from qrumb.v1.receipt_pb2 import EventWarning

__all__ = ["MAX_NAME_READ", "Unknown", "about_unknown", "is_raw_identifier"]

# Longer names are not taken for misspelt ones.
MAX_NAME_READ: Final = 64

_MONEY: Final = (
    'is not stored: an amount belongs in conversion_value of a server event, as {"amount": 49.90, "currency": "EUR"}'
)
_EMAIL: Final = (
    "is not stored: raw addresses never are; the SHA-256 belongs in user_identifiers.email_hash of a server event"
)
_PHONE: Final = (
    "is not stored: raw phone numbers never are; the SHA-256 belongs in user_identifiers.phone_hash of a server event"
)
_USER: Final = "is not stored: your own id of a user belongs in user_identifiers.external_id of a server event"
# Names in one case and without underscores. They mean something that would be missed.
_MEANT: Final[Mapping[str, str]] = {
    **dict.fromkeys(("amount", "currency", "value", "price", "revenue", "total", "conversionamount"), _MONEY),
    **dict.fromkeys(("email", "mail", "emailaddress", "emailhash"), _EMAIL),
    **dict.fromkeys(("phone", "phonenumber", "telephone", "mobile", "msisdn", "phonehash"), _PHONE),
    **dict.fromkeys(("userid", "customerid", "externalid", "uid"), _USER),
}
_IDENTIFIERS: Final = frozenset(name for name, said in _MEANT.items() if said in {_EMAIL, _PHONE})
# What the other kind of event has, and this one's name for it; empty: it has none.
_OTHER_KIND: Final[Mapping[str, Mapping[str, str]]] = {
    "qrumb.v1.BrowserEvent": {
        "eventname": "event_type",
        "properties": "metadata",
        "useridentifiers": "",
        "conversionvalue": "",
    },
    "qrumb.v1.ServerEvent": {"eventtype": "event_name", "metadata": "properties"},
    "qrumb.v1.ScanSession": {
        **dict.fromkeys(("metadata", "properties", "label"), "labels"),
        **dict.fromkeys(("customerid", "externalid", "uid"), "user_id"),
        **dict.fromkeys(("timestamp", "eventtime", "time"), "scan_time"),
        "code": "qr_code_id",
    },
}


class Unknown(NamedTuple):
    """What is said of a name that a message has no field of."""

    code: EventWarning.Code
    description: str
    meant: str = ""
    """The field of the message that the name was probably meant to be; empty where there is none."""


def about_unknown(name: str, message: Descriptor) -> Unknown:
    """The warning for a name that `message` has no field of."""
    if len(name) > MAX_NAME_READ:
        return Unknown(EventWarning.UNKNOWN_FIELD, _unknown(message))
    return _about_short(name, message)


# A sender's mistake is in each of its events, and to find what is meant takes 50 µs.
@lru_cache(maxsize=4096)
def _about_short(name: str, message: Descriptor) -> Unknown:
    plain = _plain(name)
    own = _OTHER_KIND.get(message.full_name, {}).get(plain)
    if own:
        return Unknown(EventWarning.MISPLACED_FIELD, f"is not stored: here it is called `{own}`", own)
    if own is not None:
        return Unknown(EventWarning.MISPLACED_FIELD, "is not stored: only server events have it")
    if meant := _MEANT.get(plain):
        return Unknown(EventWarning.MISPLACED_FIELD, meant)
    if near := get_close_matches(name.lower(), _names(message), 1):
        said = f"is not a field of the contract, and not stored; did you mean `{near[0]}`?"
        return Unknown(EventWarning.UNKNOWN_FIELD, said, near[0])
    return Unknown(EventWarning.UNKNOWN_FIELD, _unknown(message))


def is_raw_identifier(name: str) -> bool:
    """Whether its value would say who a person is, so that it is kept nowhere."""
    return len(name) <= MAX_NAME_READ and _plain(name) in _IDENTIFIERS


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


@cache
def _names(message: Descriptor) -> tuple[str, ...]:
    return tuple(field.name for field in message.fields)


@cache
def _unknown(message: Descriptor) -> str:
    own: Any = next((field.name for field in message.fields if field.message_type is Struct.DESCRIPTOR), None)
    advice = f"; fields of your own go into `{own}`" if own else ""
    return f"is not a field of the contract, and not stored{advice}"
