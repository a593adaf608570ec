"""How well agents are told apart, measured with other projects' test data, and what one costs.

    python bench/agents.py UAP_CORE DEVICE_DETECTOR CRAWLERDETECT

Three folders, fetched for the measurement only and never committed:
  UAP_CORE         git clone https://github.com/ua-parser/uap-core
  DEVICE_DETECTOR  git clone https://github.com/matomo-org/device-detector
                   (or an unpacked `pip download --no-binary :all: --no-deps device_detector`)
  CRAWLERDETECT    an unpacked `pip download --no-binary :all: --no-deps crawlerdetect`
"""

import random
import sys
import time
import timeit
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from qrumb_server.enrich import agent as agent_module
from qrumb_server.enrich.agent import MAX_AGENT, ClientHints, describe_agent, warm_up

_describe_anew = agent_module._describe.__wrapped__  # noqa: SLF001  # a miss, without the cache around it

_CLASSES = {
    "smartphone": "mobile",
    "phablet": "mobile",
    "feature phone": "mobile",
    "portable media player": "mobile",
    "tablet": "tablet",
    "desktop": "desktop",
    "tv": "tv",
    "console": "console",
    "car browser": "other",
    "wearable": "other",
    "smart display": "other",
    "smart speaker": "other",
    "peripheral": "other",
    "camera": "other",
}
_MANY_DEVICES = 8_000
_SHOWN_MISSES = 6

# Text that a careless pattern reads again and again.
_HOSTILE = [
    "a", "1", " ", ".", "/", "(", ";", "-", "\0", "\n", "é", "\u0301", "𝕏", "Mozilla/5.0 ", "Mozilla/", "Android ",
    "Android 1", "compatible; ", "(compatible;", "Gecko.", "Safari.1", "Version.1.", "Mac OS X 1_", "like ", "bot",
    "a-_", "crawl", "Opera Mini/1.1.", "CPU iPhone OS 1_", "www.", "a@", "a@b", "http:/", "Java", "Go 1.", "Tab ", "TV",
    "\\", "Yandex", "Yande", "SM-", "Windows NT 1", "HbbTV/1.1.1 (a ", "grpc-", "x64", "Linux", "KHTML,", "%40",
    "1.1.1.1", "bo", "&#64;", "Tizen", "Android Android ", "Go 1.1.1 package",
]  # fmt: skip


def load(path: Path) -> list[dict[str, Any]]:
    content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    found = content["test_cases"] if isinstance(content, dict) else content
    return [case for case in found if isinstance(case, dict)]


def show(title: str, right: int, total: int, misses: Iterable[str] = ()) -> None:
    print(f"{title:66} {right:6,} of {total:6,}  {100 * right / max(total, 1):6.2f} %")
    for miss in list(misses)[:_SHOWN_MISSES] if "-v" in sys.argv else ():
        print(f"      {miss}")


def families(uap_core: Path) -> None:
    for name, field in (("ua", "browser_family"), ("os", "os_family")):
        cases = load(uap_core / "tests" / f"test_{name}.yaml")
        misses = [
            f"{found!r} for {case['family']!r}: {case['user_agent_string']}"
            for case in cases
            if (found := getattr(describe_agent(case["user_agent_string"]), field))
            != case["family"].replace("Other", "").replace("other", "")
        ]
        show(f"uap-core, {field}", len(cases) - len(misses), len(cases), misses)


def device_cases(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    fixtures = next(folder.rglob("fixtures/smartphone.yml")).parent
    for path in sorted(fixtures.glob("*.yml")):
        for case in load(path):
            if "device" in case or "bot" in case:
                yield path.stem.split("-")[0] if path.stem != "clienthints-app" else path.stem, case


def hints_of(case: dict[str, Any]) -> ClientHints:
    headers = {name.lower(): str(value) for name, value in (case.get("headers") or {}).items()}
    return ClientHints(
        brands=headers.get("sec-ch-ua", ""),
        mobile=headers.get("sec-ch-ua-mobile", ""),
        platform=headers.get("sec-ch-ua-platform", ""),
    )


def classes(cases: list[tuple[str, dict[str, Any]]]) -> None:
    total: Counter[str] = Counter()
    wrong: dict[str, list[str]] = {}
    for _, case in cases:
        client = case.get("client")
        expected = _CLASSES.get((case.get("device") or {}).get("type") or "")
        if not expected or not isinstance(client, dict) or client.get("type") != "browser":
            continue
        total[expected] += 1
        agent = describe_agent(case["user_agent"], hints_of(case))
        if agent.device_type != expected:
            wrong.setdefault(expected, []).append(f"{agent.device_type}: {case['user_agent']}")
    for expected, count in total.most_common():
        misses = wrong.get(expected, [])
        random.Random(1).shuffle(misses)
        show(f"device-detector, browsers of class {expected}", count - len(misses), count, misses)


def bots(cases: list[tuple[str, dict[str, Any]]], crawlerdetect: Path) -> None:
    agents = next(crawlerdetect.rglob("fixtures/user_agent/crawlers.txt")).parent
    crawlers, devices = (
        (agents / f"{name}.txt").read_text(encoding="utf-8").split("\n") for name in ("crawlers", "devices")
    )
    groups = {
        "recall, crawlerdetect's crawlers": (True, crawlers),
        "recall, device-detector's bots": (True, [case["user_agent"] for _, case in cases if "bot" in case]),
        "called human, crawlerdetect's devices (sample)": (False, random.Random(1).sample(devices, _MANY_DEVICES)),
    }
    for kind in ("browser", "mobile app"):
        groups[f"called human, device-detector, clients of type {kind}"] = (
            False,
            [
                case["user_agent"]
                for _, case in cases
                if "bot" not in case and isinstance(case.get("client"), dict) and case["client"].get("type") == kind
            ],
        )
    for title, (expected, texts) in groups.items():
        texts = [text for text in texts if text.strip()]
        misses = [text for text in texts if describe_agent(text).is_bot is not expected]
        random.Random(1).shuffle(misses)
        show(title, len(texts) - len(misses), len(texts), misses)


def contradictions(cases: list[tuple[str, dict[str, Any]]]) -> None:
    hinted = [(case["user_agent"], hints_of(case)) for _, case in cases if case.get("headers")]
    hinted = [(text, hints) for text, hints in hinted if hints.platform]
    misses = [
        f"{hints.platform} {hints.mobile}: {text}"
        for text, hints in hinted
        if describe_agent(text, hints).contradicts_hints
    ]
    show("device-detector, agents with hints that agree", len(hinted) - len(misses), len(hinted), misses)


def costs() -> None:
    engine = "AppleWebKit/537.36 (KHTML, like Gecko)"
    text = f"Mozilla/5.0 (Linux; Android 10; K) {engine} Chrome/131.0.0.0 Mobile Safari/537.36"
    hints = ClientHints(brands='"Chromium";v="131", "Not_A Brand";v="24"', mobile="?1", platform='"Android"')
    asked = (hints.brands, hints.mobile, hints.platform)
    bot = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
    measured = {
        "hit": lambda: describe_agent(text, hints),
        "miss, phone": lambda: _describe_anew(text, *asked),
        "miss, crawler": lambda: _describe_anew(bot, "", "", ""),
    }
    for name, call in measured.items():
        print(f"{name:66} {_best(call):8.2f} µs")
    # Too long for the cache: each call is a miss.
    hostile = [(_best(lambda t=t: describe_agent(t, hints), 3), t) for t in map(_long, _HOSTILE)]
    for cost, worst in sorted(hostile, reverse=True)[:3]:
        print(f"{f'miss, hostile, {len(worst)} characters of {worst[:16]!a}':66} {cost:8.2f} µs")


def _long(piece: str) -> str:
    return (piece * MAX_AGENT)[:MAX_AGENT]


def _best(call: Any, repeats: int = 7) -> float:
    timer = timeit.Timer(call)
    number = max(1, int(0.02 / max(timer.timeit(1), 1e-7)))
    return min(timer.repeat(repeats, number)) / number * 1e6


def main() -> None:
    if len(folders := [Path(word) for word in sys.argv[1:] if word != "-v"]) != 3:
        sys.exit(__doc__)
    uap_core, device_detector, crawlerdetect = folders
    started = time.perf_counter()
    warm_up()
    print(f"{'load':66} {(time.perf_counter() - started) * 1e3:8.0f} ms")
    costs()
    families(uap_core)
    cases = list(device_cases(device_detector))
    classes(cases)
    bots(cases, crawlerdetect)
    contradictions(cases)


if __name__ == "__main__":
    main()
