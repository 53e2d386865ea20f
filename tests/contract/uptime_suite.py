"""What every Uptime promises."""

import time


class UptimeSuite:
    """Subclasses give `make`, a function that returns a fresh Uptime of the same machine."""

    @staticmethod
    def make():
        raise AssertionError("a subclass says how")

    def test_every_reader_of_a_run_sees_the_same_name(self):
        first, second = self.make(), self.make()
        assert first.boot_id
        assert first.boot_id == second.boot_id

    def test_it_goes_on_and_never_back(self):
        uptime = self.make()
        readings = [uptime.ran_ms() for _ in range(100)]
        assert readings == sorted(readings)
        assert readings[0] > 0
        time.sleep(0.02)
        assert uptime.ran_ms() >= readings[-1] + 15
