"""Whose signatures count, now and at the time of an approval."""

import pytest
from msgspec.structs import replace
from tests.unit.ledger.consenting import AT_S, KEYS

from siegel.customer.consent.pins import FOLDER_NAME, Pins, pin, read_keys, read_pins
from siegel.domain.errors import ConfigurationError

OTHERS = replace(KEYS, threshold=1)


def test_what_is_pinned_counts_from_then_on_and_what_was_before_is_kept(tmp_path):
    assert read_pins(tmp_path) == Pins()
    with pytest.raises(ConfigurationError, match="no consent keys are pinned"):
        _ = read_pins(tmp_path).current
    pin(tmp_path, KEYS.encode(), AT_S)
    pin(tmp_path, KEYS.encode(), AT_S + 5)
    pin(tmp_path, OTHERS.encode(), AT_S + 100)
    pins = read_pins(tmp_path)
    assert [(each.since_s, each.keys) for each in pins.pins] == [(AT_S, KEYS), (AT_S + 100, OTHERS)]
    assert pins.current == OTHERS
    for at_s, expected in (
        (-500, [KEYS]),
        (0, [KEYS]),
        (89, [KEYS]),
        (90, [KEYS, OTHERS]),
        (109, [KEYS, OTHERS]),
        (111, [OTHERS]),
    ):
        assert pins.at(AT_S + at_s, 10) == expected, at_s
    assert Pins().at(AT_S, 10) == []


def test_two_changes_in_a_second_are_two(tmp_path):
    for keys in (KEYS, OTHERS, KEYS):
        pin(tmp_path, keys.encode(), AT_S)
    assert [each.since_s - AT_S for each in read_pins(tmp_path).pins] == [0, 1, 2]


def test_what_is_no_file_of_keys_is_refused(tmp_path):
    (tmp_path / "none").touch()
    with pytest.raises(ConfigurationError, match=r"/none: .*threshold"):
        read_keys(tmp_path / "none")
    pin(tmp_path, KEYS.encode(), AT_S)
    (path,) = (tmp_path / FOLDER_NAME).iterdir()
    path.write_bytes(b"nonsense")
    with pytest.raises(ConfigurationError, match="threshold"):
        read_pins(tmp_path)
    path.rename(path.with_name("20279999T999999Z"))
    with pytest.raises(ConfigurationError, match="is not named by a time"):
        read_pins(tmp_path)
    path.with_name("20279999T999999Z").rename(path.with_name("notes.txt"))
    assert read_pins(tmp_path) == Pins()
