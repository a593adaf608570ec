"""What is wrong with a value that is not made as one event or one scan session is, in words."""

from collections.abc import Mapping, Set
from typing import Final, NamedTuple

from qrumb.v1.receipt_pb2 import Violation
from qrumb_server.reading.text import JsonObject

__all__ = ["EVENT", "SCAN_SESSION", "Words", "fault_of_form"]

# What stands where an event or a session should.
_FORMS: Final[Mapping[type, str]] = {
    type(None): "null",
    str: "a text",
    bool: "true or false",
    list: 'a list (several {plural} are a batch: send {{"{many}": [...]}} to the path that ends in /batch)',
    object: "a number",
}
# What is put around them elsewhere.
_AROUND_ONE: Final = "belongs to gRPC: as JSON the body is the {what} itself, with its fields at the top"
_AROUND_MANY: Final = "makes a batch: send it to the path that ends in /batch"


class Words(NamedTuple):
    """What is read is called, and the members that are put around one and around many."""

    what: str
    one: str
    many: str


EVENT: Final = Words("event", "event", "events")
SCAN_SESSION: Final = Words("scan session", "scan_session", "scan_sessions")


def fault_of_form(sent: object, names: Set[str], words: Words) -> Violation | None:
    """What is wrong with a value that is not made as one event or session is; None where it is.

    Args:
        names: of its fields, in both spellings.
    """
    if not isinstance(sent, JsonObject):
        kind = next(kind for form, kind in _FORMS.items() if isinstance(sent, form))
        kind = kind.format(plural=f"{words.what}s", many=words.many)
        return Violation(reason=Violation.INVALID_JSON, description=f"the {words.what} is {kind}, not a JSON object")
    if sent.keys() & names:
        return None
    for name, said in ((words.one, _AROUND_ONE.format(what=words.what)), (words.many, _AROUND_MANY)):
        if name in sent:
            return Violation(field=name, reason=Violation.INVALID_JSON, description=said)
    return None
