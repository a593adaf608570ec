"""docs/performance.md and its plots say what bench/results.json says."""

import json

from bench.page import RESULTS, files


def test_the_page_is_what_the_results_make() -> None:
    """`python -m bench.page` writes it."""
    made = files(json.loads(RESULTS.read_text(encoding="utf-8")))
    assert [path.name for path, text in made.items() if path.read_text(encoding="utf-8") != text] == []
