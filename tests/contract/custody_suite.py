"""What every KeyCustodian keeps. A driver's tests derive from `KeyCustodianContract` and give it custodians."""

import pytest

from siegel.domain.errors import SealBrokenError
from siegel.domain.ports import KeyCustodian

SECRET = b"an account's wrapping key, and its metadata key"


class KeyCustodianContract:
    """One promise of the port per test."""

    def make_custodian(self, tmp_path, name: str) -> KeyCustodian:
        """Return a custodian: the same root key for the same name, another for another."""
        raise AssertionError("a driver's tests make their custodian")

    @pytest.fixture
    def custodian(self, tmp_path) -> KeyCustodian:
        return self.make_custodian(tmp_path, "one")

    @pytest.mark.parametrize("plaintext", [b"", b"k", SECRET, bytes(2000)])
    def test_what_was_wrapped_is_unwrapped(self, custodian, plaintext):
        assert custodian.unwrap(custodian.wrap(plaintext, b"context"), b"context") == plaintext

    def test_a_later_custodian_of_the_same_key_unwraps_it(self, custodian, tmp_path):
        wrapped = custodian.wrap(SECRET, b"context")
        assert self.make_custodian(tmp_path, "one").unwrap(wrapped, b"context") == SECRET

    def test_the_wrap_shows_nothing_of_its_content(self, custodian):
        assert SECRET not in custodian.wrap(SECRET, b"context")

    def test_no_two_wraps_are_alike(self, custodian):
        assert custodian.wrap(SECRET, b"context") != custodian.wrap(SECRET, b"context")

    @pytest.mark.parametrize("context", [b"", b"contex", b"context ", b"Context"])
    def test_another_context_does_not_unwrap_it(self, custodian, context):
        with pytest.raises(SealBrokenError):
            custodian.unwrap(custodian.wrap(SECRET, b"context"), context)

    def test_the_custodian_of_another_key_does_not_unwrap_it(self, custodian, tmp_path):
        with pytest.raises(SealBrokenError):
            self.make_custodian(tmp_path, "two").unwrap(custodian.wrap(SECRET, b"context"), b"context")

    def test_every_flipped_bit_is_noticed(self, custodian):
        wrapped = custodian.wrap(SECRET, b"context")
        for bit in range(len(wrapped) * 8):
            broken = bytearray(wrapped)
            broken[bit // 8] ^= 1 << bit % 8
            with pytest.raises(SealBrokenError):
                custodian.unwrap(bytes(broken), b"context")

    def test_what_is_no_wrap_at_all_is_refused(self, custodian):
        for junk in (b"", b"\x01", SECRET, bytes(200)):
            with pytest.raises(SealBrokenError):
                custodian.unwrap(junk, b"context")
