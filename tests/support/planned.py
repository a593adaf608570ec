"""A plan with all that a generator of code has to take, and what it makes of it in each language."""

from typing import Any, Final

from qrumb_server.commands.plan_code import generate

__all__ = ["PLANS", "SITE", "generated"]

SITE: Final = "shop-1"
PLANS: Final[dict[str, dict[str, Any]]] = {
    "add_to_cart": {
        "type": "object",
        "required": ["sku", "amount", "in stock"],
        "properties": {
            "sku": {"type": "string"},
            "amount": {"type": "number"},
            "quantity": {"type": "integer", "minimum": 1},
            "size": {"enum": ["s", "m", 'x"l']},
            "tags": {"type": "array", "items": {"type": "string"}},
            "note": {"type": ["string", "null"]},
            "ship to": {"type": "object", "required": ["zip"], "properties": {"zip": {"type": "string"}}},
            "class": {"type": "boolean"},
            "sku-": {"type": "string"},
            "2nd": {},
        },
    },
    "newsletter/opened": {"type": "object"},
}


def generated(language: str) -> str:
    """The source file."""
    return generate(language, SITE, PLANS)
