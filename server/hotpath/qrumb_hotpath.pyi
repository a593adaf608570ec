"""The compiled way (server/hotpath): bytes of a call in, spool records and receipts out, for ordinary events."""

from qrumb_server.enrich.agent import Agent
from qrumb_server.pipeline.compiled_rules import Address, Circumstances, Rules, SiteRules

INTERFACE: int
"""What Python and this say to each other; another number, another language."""

class Site:
    """What a site wants done with its events."""

    def __new__(cls, stated: SiteRules) -> Site: ...

class Call:
    """A call on its way."""

    def __len__(self) -> int: ...
    def event(self, index: int) -> bytes:
        """The bytes of one event."""

    def read(self, most_bytes: int) -> bool:
        """Read the next events; whether all are read now.

        Raises:
            ValueError: the call is Python's as a whole.
        """

    def unread(self) -> list[int]:
        """Places of the events that are for Python to read."""

    def sites(self) -> dict[str, int]:
        """How many events each site has, but for the unread ones, before anything is judged."""

class Judge:
    """Judges calls, and keeps what was looked up of their visitors."""

    def __new__(cls, rules: Rules) -> Judge: ...
    def open(self, request: bytes, is_server: bool, is_batch: bool, is_json: bool) -> Call:
        """The call of a request: a message, or a text of JSON."""

    def lacking(self, call: Call, epoch: int) -> tuple[set[str], set[str]]:
        """Agents and addresses that are to be looked up; addresses of an earlier epoch are forgotten."""

    def learn_agent(self, text: str, agent: Agent) -> None:
        """Keep what an agent says."""

    def learn_address(self, text: str, address: Address) -> None:
        """Keep what is known of an address."""

    def judge(
        self, call: Call, at: Circumstances, most_bytes: int
    ) -> tuple[list[bytes | None], list[bytes | None], list[str | None]]:
        """Records, receipts and sites of the next events; None where an event is Python's."""
