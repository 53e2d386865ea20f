"""Records of entry files: read as far as they are whole and follow each other, and no further."""

import os

import pytest

from siegel.domain.errors import StorageError
from siegel.drivers.meta.entry_records import HEADER_BYTES, SALT_BYTES, RecordCipher, read_salt

KEY = bytes(range(32))
SALT = bytes(SALT_BYTES)


@pytest.fixture
def cipher():
    return RecordCipher(KEY, 0, SALT)


@pytest.fixture
def scan(tmp_path):
    def scan(cipher, data, start=0):
        path = tmp_path / "file"
        path.write_bytes(data)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return [(record.number, record.recorded_at_ms, record.entries) for record in cipher.scan(descriptor, start)]
        finally:
            os.close(descriptor)

    return scan


def three(cipher):
    return [cipher.seal(number, 1000 + number, bytes([number]) * 100) for number in (7, 8, 9)]


def read(*numbers):
    return [(number, 1000 + number, bytes([number]) * 100) for number in numbers]


def test_a_header_tells_its_salt(cipher):
    assert len(cipher.header) == HEADER_BYTES
    assert read_salt(cipher.header) == SALT
    assert read_salt(cipher.header[:-1]) is None
    assert read_salt(bytes(HEADER_BYTES)) is None


def test_records_come_back_up_to_what_is_none(cipher, scan):
    assert scan(cipher, b"".join(three(cipher))) == read(7, 8, 9)
    assert scan(cipher, b"".join(three(cipher)) + bytes(1000)) == read(7, 8, 9)
    assert scan(cipher, b"".join(three(cipher)) + b"\xff" * 1000) == read(7, 8, 9)
    assert scan(cipher, b"") == []


def test_each_record_says_where_the_next_begins(cipher, scan, tmp_path):
    first, second, _ = three(cipher)
    assert scan(cipher, first + second, len(first)) == read(8)


def test_records_longer_than_what_is_read_at_a_time_come_back(cipher, scan):
    large = cipher.seal(1, 5, bytes(700_000))
    assert scan(cipher, large + cipher.seal(2, 6, b"x")) == [(1, 5, bytes(700_000)), (2, 6, b"x")]


def test_a_number_that_does_not_follow_ends_them(cipher, scan):
    first, second, third = three(cipher)
    assert scan(cipher, first + third + second) == read(7)
    assert scan(cipher, first + first) == read(7)


def test_a_record_that_was_cut_anywhere_is_none(cipher, scan):
    first, second, _ = three(cipher)
    for size in range(len(second)):
        assert scan(cipher, first + second[:size]) == read(7)
        assert scan(cipher, first + second[:size] + bytes(len(second) - size)) == read(7)


def test_a_record_with_any_bit_changed_is_none(cipher, scan):
    first, second, third = three(cipher)
    for place in range(8 * len(second)):
        changed = bytearray(second)
        changed[place // 8] ^= 1 << place % 8
        assert scan(cipher, first + changed + third) == read(7)


def test_another_file_salt_or_key_opens_nothing(cipher, scan):
    data = b"".join(three(cipher))
    for other in (RecordCipher(KEY, 1, SALT), RecordCipher(KEY, 0, b"\1" * SALT_BYTES), RecordCipher(bytes(32), 0, SALT)):
        assert scan(other, data) == []


def test_nothing_of_the_entries_is_in_clear(cipher):
    assert b"secret-name" not in cipher.seal(1, 0, b"secret-name")
    assert repr(KEY)[2:-1] not in repr(cipher)


def test_more_than_can_be_read_back_is_not_sealed(cipher, scan, monkeypatch):
    monkeypatch.setattr("siegel.drivers.meta.entry_records._SEALED_BYTES_MAX", 1000)
    sealed = 0
    for size in range(900, 1001):
        try:
            record = cipher.seal(1, 1001, bytes(size))
        except StorageError:
            break
        sealed += 1
        assert scan(cipher, record) == [(1, 1001, bytes(size))]
    assert 0 < sealed < 100
