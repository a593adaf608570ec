"""The collector's clock never goes back, and never stands still."""

from qrumb_server.app.clock import SteadyClock


class Machine:
    """A clock that is set, and the time that really passes."""

    def __init__(self) -> None:
        self.time_ms = 1_000_000
        self.passed_ns = 0

    def now_ms(self) -> int:
        """As set."""
        return self.time_ms

    def after(self, milliseconds: int) -> None:
        """Both go on."""
        self.time_ms += milliseconds
        self.passed_ns += milliseconds * 1_000_000


def test_a_clock_that_stepped_back_is_waited_for_at_half_the_pace() -> None:
    """Then both are one again."""
    machine = Machine()
    steady = SteadyClock(machine, lambda: machine.passed_ns)
    assert steady.now_ms() == 1_000_000
    machine.after(10)
    assert steady.now_ms() == 1_000_010
    machine.time_ms -= 100
    said = []
    for _ in range(300):
        machine.after(1)
        said.append(steady.now_ms())
    assert said[:4] == [1_000_010, 1_000_011, 1_000_011, 1_000_012]
    assert said == sorted(said)
    assert said[198:] == list(range(1_000_109, 1_000_211))
