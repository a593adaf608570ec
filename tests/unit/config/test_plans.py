"""Tracking plans: what a file may be, what an event is told, and that a broken one changes nothing."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.access.registry import Site, SiteRegistry
from qrumb_server.commands.plan_shapes import compare, infer
from qrumb_server.config.plans import plans_state, read_plans
from qrumb_server.errors import ConfigError
from qrumb_server.model import Caller, RawEvent, Rejected, SitePolicy, Source, StampedEvent
from qrumb_server.pipeline.run import judge
from qrumb_server.pipeline.stamp import Arrival, Enrichers
from qrumb_server.rpc.compiled_calls import Compiled
from qrumb_server.rpc.hotpath import is_built
from qrumb_server.rpc.turns import Turns

PLAN = {
    "type": "object",
    "required": ["sku"],
    "properties": {
        "sku": {"type": "string", "pattern": "^[A-Z]"},
        "items": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    },
    "additionalProperties": False,
}
ENFORCED = PLAN | {"x-qrumb-mode": "enforce"}
WRONG: Mapping[str, Any] = {"items": [{"n": 1}, {"n": "jane@shop"}], "colour": "secret"}
FAULTS = [
    ("colour", "is not in the plan"),
    ("items[1].n", 'the value is not of type "integer"'),
    ("sku", "is required by the plan"),
]


def write(folder: Path, name: str, plan: object, site: str = "shop") -> None:
    (folder / site).mkdir(parents=True, exist_ok=True)
    text = plan if isinstance(plan, str) else json.dumps(plan)
    (folder / site / f"{name}.schema.json").write_text(text)


def browser(metadata: Mapping[str, Any], *, site: str = "shop", name: str = "click") -> RawEvent:
    message = BrowserEvent(site_id=site, event_type=name)
    message.metadata.update(metadata)
    return RawEvent(source=Source.BROWSER, message=message, caller=Caller(), index=0)


def server(properties: Mapping[str, Any]) -> RawEvent:
    message = ServerEvent(site_id="shop", scan_session_id="s", event_name="add/to cart")
    message.properties.update(properties)
    return RawEvent(source=Source.SERVER, message=message, caller=Caller(), index=0)


def arrival(folder: Path) -> Arrival:
    policies = {site: SitePolicy(plans=plans) for site, plans in read_plans(folder).items()}
    enrichers = Enrichers(policy=lambda site: policies.get(site, SitePolicy()))
    return Arrival(
        received_time_ms=1_790_000_000_000,
        retention_ms=10**12,
        make_event_id=lambda _event: "made",
        enrichers=enrichers,
    )


def test_an_enforced_plan_rejects_with_every_place(tmp_path: Path) -> None:
    write(tmp_path, "click", ENFORCED)
    [verdict] = judge([browser(WRONG)], arrival(tmp_path))
    assert isinstance(verdict, Rejected)
    assert verdict.event_id == "made"
    assert [(one.field, one.description) for one in verdict.violations] == [
        (f"metadata.{path}", text) for path, text in FAULTS
    ]
    assert {one.reason for one in verdict.violations} == {one.PLAN_VIOLATION for one in verdict.violations}
    [fits, other_name, other_site] = judge(
        [browser({"sku": "A1"}), browser(WRONG, name="view"), browser(WRONG, site="blog")], arrival(tmp_path)
    )
    assert all(isinstance(one, StampedEvent) and not one.warnings for one in (fits, other_name, other_site))


def test_an_observed_plan_warns_and_keeps_the_event(tmp_path: Path) -> None:
    """By the name of a backend's event, which a file's name has percent-encoded."""
    write(tmp_path, "add%2Fto%20cart", PLAN)
    [verdict] = judge([server(WRONG)], arrival(tmp_path))
    assert isinstance(verdict, StampedEvent)
    assert [(one.field, one.description) for one in verdict.warnings] == [
        (f"properties.{path}", text) for path, text in FAULTS
    ]
    assert json.loads(verdict.record.accepted_event.row.metadata) == WRONG


def test_more_places_than_an_answer_lists_are_counted(tmp_path: Path) -> None:
    write(tmp_path, "click", ENFORCED)
    [verdict] = judge([browser({f"k{number:03}": 1 for number in range(80)})], arrival(tmp_path))
    assert isinstance(verdict, Rejected)
    assert len(verdict.violations) == 50
    assert verdict.violations[-1].field == "metadata"
    assert verdict.violations[-1].description == "32 more places are not as the plan has them"


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ("{", "is not JSON: "),
        ("[]", "is not a JSON Schema: an object is needed"),
        ({"x-qrumb-mode": "strict"}, '"x-qrumb-mode" is "observe" or "enforce"'),
        ({"type": "strin"}, "is not a JSON Schema 2020-12: type: "),
        ({"properties": {"a": {"pattern": "(?=a)"}}}, "is not a JSON Schema 2020-12: properties.a.pattern: "),
        ({"$ref": "http://127.0.0.1:1/plan.json"}, "is not in the file, and nothing is fetched"),
        (" " * 300_000, "has 300,000 bytes"),
    ],
    ids=["no JSON", "a list", "mode", "type", "look-ahead", "another file", "size"],
)
def test_a_plan_that_cannot_be_used_is_named(tmp_path: Path, plan: object, said: str) -> None:
    write(tmp_path, "good", PLAN)
    write(tmp_path, "click", plan)
    with pytest.raises(ConfigError) as error:
        read_plans(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}/shop/click.schema.json: ")
    assert said in str(error.value)


def test_plans_are_read_anew_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    """Nor does it cost a site without plans its policy."""
    now = [0.0]
    sites = tmp_path / "sites.toml"
    sites.touch()
    registry = SiteRegistry(
        sites, read=lambda _path: {"shop": Site(site_id="shop")}, common=Site(), is_open=False,
        monotonic=lambda: now[0],
        read_plans=lambda: read_plans(tmp_path / "plans"), plans_state=lambda: plans_state(tmp_path / "plans"),
    )  # fmt: skip

    def planned() -> dict[str, bool]:
        now[0] += 2
        return {name: plan.is_enforced for name, plan in registry.policy("shop").plans.items()}

    assert planned() == {}
    write(tmp_path / "plans", "click", PLAN)
    assert planned() == {"click": False}
    policy = registry.policy("shop")
    write(tmp_path / "plans", "click", ENFORCED)
    write(tmp_path / "plans", "view", "{")
    assert planned() == {"click": False}
    assert registry.policy("shop") is policy
    assert registry.is_broken()
    write(tmp_path / "plans", "view", PLAN)
    assert planned() == {"click": True, "view": False}
    assert not registry.is_broken()
    assert registry.policy("blog").plans == {}


@pytest.mark.skipif(not is_built(), reason="the compiled way is not built")
@pytest.mark.parametrize("site", ["shop", "blog"])
async def test_events_of_a_site_with_plans_are_left_to_python(tmp_path: Path, site: str) -> None:
    write(tmp_path, "click", ENFORCED)
    way = Compiled(turns=Turns(), max_event_bytes=100_000, max_batch_events=100)
    request = b"".join(
        b"\x0a" + bytes([len(one)]) + one for one in [browser({}, site=site).message.SerializeToString()] * 2
    )  # fmt: skip
    call = await way.open(request, Source.BROWSER, is_batch=True)
    assert call is not None
    judged = await call.judge(Caller(user_agent="Mozilla/5.0"), arrival(tmp_path))
    assert judged.left == ([0, 1] if site == "shop" else [])


BASE = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}, "b": {"enum": [1, 2]}}}


@pytest.mark.parametrize(
    ("new", "changes"),
    [
        (BASE, []),
        (BASE | {"required": ["a", "b"]}, [(True, "the event: b is required now")]),
        (BASE | {"required": []}, [(False, "the event: a is required no longer")]),
        (BASE | {"additionalProperties": False}, [(True, "the event: no other members are allowed now")]),
        (BASE | {"properties": {"a": {"type": "number"}, "b": {"enum": [1, 2]}}},
         [(False, "a: type was integer and is number")]),
        (BASE | {"properties": {"a": {"type": "string"}, "b": {"enum": [1, 2, 3]}}},
         [(True, "a: type was integer and is string"), (False, "b: enum was 1 or 2 and is 1 or 2 or 3")]),
        (BASE | {"properties": {"a": {"type": "integer"}}}, [(False, "the event: b is planned no longer")]),
        (BASE | {"x-qrumb-mode": "enforce"}, [(True, "the event: x-qrumb-mode is another one")]),
        (BASE | {"title": "other"}, []),
    ],
)  # fmt: skip
def test_changes_are_breaking_or_not(new: dict[str, Any], changes: list[tuple[bool, str]]) -> None:
    assert list(compare(BASE, new)) == changes


def test_an_inferred_plan_takes_what_it_was_made_of(tmp_path: Path) -> None:
    objects: list[dict[str, Any]] = [
        {"sku": "A1", "n": 1, "items": [{"n": 1}, {"n": 1.5}], "gift": None},
        {"sku": "B2", "n": 2, "items": [], "gift": True},
    ]
    made = infer(objects)
    write(tmp_path, "click", made)
    plan = read_plans(tmp_path)["shop"]["click"]
    assert [list(plan.find_faults(one)) for one in objects] == [[], []]
    assert made["required"] == ["gift", "items", "n", "sku"]
    assert made["properties"]["items"]["items"]["properties"] == {"n": {"type": "number"}}
    assert made["properties"]["gift"] == {"type": ["boolean", "null"]}
    assert list(plan.find_faults({"sku": 1, "n": 1, "items": [], "gift": True})) != []
