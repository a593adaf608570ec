"""Typed builders of planned events: what is made for Python type-checks, and makes events that fit the plan.

Go, Java and TypeScript: tests/integration/clients.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from google.protobuf.json_format import MessageToDict

from tests.support.planned import PLANS, SITE, generated

RIGHT = 'add_to_cart({"sku": "A1", "amount": 4.5, "in stock": None, "size": "m"}, scan_session_id="s", currency=None)\n'
WRONG = {
    'add_to_cart({"sku": "A1", "amount": 4.5}, scan_session_id="s")': "in stock",
    'add_to_cart({"sku": 1, "amount": 4.5, "in stock": 1}, scan_session_id="s")': "sku",
    'add_to_cart({"sku": "A1", "amount": 4.5, "in stock": 1, "size": "xl"}, scan_session_id="s")': "size",
    'add_to_cart({"sku": "A1", "amount": 4.5, "in stock": 1, "colour": 1}, scan_session_id="s")': "colour",
    'add_to_cart({"sku": "A1", "amount": 4.5, "in stock": 1})': "scan_session_id",
}


def test_what_is_made_for_python_fits_the_plan() -> None:
    module: dict[str, Any] = {}
    exec(compile(generated("python"), "plans", "exec"), module)
    properties = {"sku": "A1", "amount": 4.5, "in stock": True, "quantity": 2, "tags": ["a"], "2nd": None}
    event = MessageToDict(module["add_to_cart"](properties, scan_session_id="s", external_id="c-7"))
    assert (event["siteId"], event["eventName"], event["scanSessionId"]) == (SITE, "add_to_cart", "s")
    assert event["properties"] == properties
    assert jsonschema_rs.is_valid(PLANS["add_to_cart"], properties)
    assert module["newsletter_opened"]({}, scan_session_id="s").event_name == "newsletter/opened"


@pytest.mark.timeout(180)
def test_a_type_checker_finds_what_does_not_fit(tmp_path: Path) -> None:
    """mypy, strict: the file itself is clean, as is a right call; each wrong one is an error that names the member."""
    (tmp_path / "shop.py").write_text(generated("python"))
    lines = [*(f"shop.{wrong}" for wrong in WRONG), f"shop.{RIGHT}"]
    (tmp_path / "use.py").write_text("import shop\n" + "\n".join(lines))
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "shop.py", "use.py"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    errors = [line for line in found.splitlines() if ": error:" in line]
    assert not [line for line in errors if line.startswith("shop.py")], found
    for number, name in enumerate(WRONG.values(), 2):
        assert any(line.startswith(f"use.py:{number}:") and name in line for line in errors), found
    assert {line.split(":")[1] for line in errors} == {str(number) for number in range(2, 2 + len(WRONG))}, found


@pytest.mark.parametrize("language", ["python", "ts", "go", "java"])
def test_the_same_plans_make_the_same_file(language: str) -> None:
    """And each language has all names as they are sent."""
    text = generated(language)
    assert text == generated(language)
    for name in ("add_to_cart", "newsletter/opened", "ship to", "2nd", "sku-", SITE):
        assert name in text
