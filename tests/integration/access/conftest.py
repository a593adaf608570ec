"""One node that asks for keys, with the sites `shop` and `other`."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.stack import Stack, running_stack

LATER = "2099-01-01"
LONG_AGO = "2001-01-01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Of the site shop, but for the last two."""

    collect: str
    query: str
    admin: str
    expired: str
    other: str
    unknown: str = "qk_abcd1234_" + "k" * 40

    def all(self) -> tuple[str, ...]:
        """Every one that was made."""
        return self.collect, self.query, self.admin, self.expired, self.other


def made(stack: Stack, *arguments: str) -> str:
    """The one line that a `qrumb sites` command prints to be kept."""
    done = stack.command("sites", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="package")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Keys]]:
    """The node and its keys."""
    stack = Stack(tmp_path_factory.mktemp("keyed") / "data", QRUMB_ACCESS="keys")
    made(stack, "add", "shop", "--origin", "https://shop.example", "--origin", "https://*.shop.example")
    made(stack, "add", "other", "--origin", "https://other.example")
    keys = Keys(
        collect=made(stack, "key", "shop", "--expires", LATER),
        query=made(stack, "key", "shop", "--scope", "query"),
        admin=made(stack, "key", "shop", "--scope", "admin"),
        expired=made(stack, "key", "shop", "--expires", LONG_AGO),
        other=made(stack, "key", "other", "--scope", "collect", "--scope", "query", "--scope", "admin"),
    )
    with running_stack(stack.data_dir, QRUMB_ACCESS="keys", QRUMB_WORKERS="2") as running:
        yield running, keys


@pytest.fixture(scope="package")
def stack(keyed: tuple[Stack, Keys]) -> Stack:
    return keyed[0]


@pytest.fixture(scope="package")
def keys(keyed: tuple[Stack, Keys]) -> Keys:
    return keyed[1]
