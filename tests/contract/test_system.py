"""The machine's own uptime keeps the promise."""

from pathlib import Path

import pytest
from tests.contract.uptime_suite import UptimeSuite

from siegel.domain.errors import ConfigurationError
from siegel.drivers import system
from siegel.drivers.system import SystemUptime


class TestSystemUptime(UptimeSuite):
    make = SystemUptime


def test_a_kernel_without_a_boot_id_is_refused(monkeypatch):
    monkeypatch.setattr(system, "_BOOT_ID", Path("/nowhere"))
    with pytest.raises(ConfigurationError, match="nowhere"):
        SystemUptime()
