"""Key material: made here, sealed by the custodian for its account, key and number, opened for the length of a generation."""

import hmac

from siegel.domain.errors import SealBrokenError
from siegel.domain.ports import KeyCustodian, Randomness
from siegel.domain.wrapping_keys import Material
from siegel.envelope.derive import KEY_BYTES


class Materials:
    """Makes and opens material."""

    def __init__(self, custodian: KeyCustodian, randomness: Randomness) -> None:
        self._custodian = custodian
        self.randomness = randomness

    def make(self, account_id: str, key_id: str, number: int, *, at_ms: int, rotation: str = "") -> Material:
        """Return fresh material, sealed. Raises SealBrokenError if it does not open to the same again."""
        clear = self.randomness.bytes(KEY_BYTES)
        sealed = self._custodian.wrap(clear, material_context(account_id, key_id, number))
        material = Material(number, sealed, at_ms, rotation)
        if not hmac.compare_digest(self.open(account_id, key_id, material), clear):
            raise SealBrokenError("the custodian did not return what it wrapped")
        return material

    def open(self, account_id: str, key_id: str, material: Material) -> bytes:
        """Return the 32 bytes of a material. Raises SealBrokenError."""
        return self._custodian.unwrap(material.sealed, material_context(account_id, key_id, material.number))


def material_context(account_id: str, key_id: str, number: int) -> bytes:
    """Name the place that a key's material is sealed for."""
    return f"siegel key material v1\0{account_id}/{key_id}/{number}".encode()
