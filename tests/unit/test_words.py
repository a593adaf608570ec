"""Numbers in sentences."""

import pytest

from qrumb_server.words import counted


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 events"), (1, "1 event"), (2, "2 events"), (1_200, "1,200 events")]
)
def test_one_is_singular(number: int, said: str) -> None:
    assert counted(number, "event") == said


def test_a_plural_of_its_own() -> None:
    assert counted(1, "row is", "rows are") == "1 row is"
    assert counted(3, "row is", "rows are") == "3 rows are"
