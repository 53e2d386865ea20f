"""A key server without a network, and ones that do what they should not."""

import os
from collections.abc import Mapping

from siegel.customer.keybox.ciphers import RANDOM_BYTES, open_blob, seal_blob
from siegel.customer.keybox.refusals import RefusedError
from siegel.customer.sealing.recipients import BoxKey
from siegel.customer.sealing.refusals import HeaderChangedError

KEY_ID = "0b1c2d3e-0000-4000-8000-00000000000a"


class FakeBox:
    """Makes and opens blobs as a box does, and counts what it is asked."""

    def __init__(self, material: bytes = b"m" * 32) -> None:
        self.material = material
        self.asked: list[tuple[str, dict[str, str]]] = []

    def fresh_key(self, context: Mapping[str, str]) -> BoxKey:
        self.asked.append(("fresh", dict(context)))
        plaintext = self.new_key()
        return BoxKey(plaintext, seal_blob(self.material, KEY_ID, plaintext, context, os.urandom(RANDOM_BYTES)))

    def new_key(self) -> bytes:
        return os.urandom(32)

    def unwrap(self, blob: bytes, context: Mapping[str, str]) -> bytes:
        self.asked.append(("unwrap", dict(context)))
        try:
            return open_blob(self.material, blob, context)
        except RefusedError:
            raise HeaderChangedError("the key server does not unwrap") from None


class RepeatingBox(FakeBox):
    """Gives out the same key each time."""

    def new_key(self) -> bytes:
        return b"r" * 32


class LyingBox(FakeBox):
    """Answers with another key than the blob holds."""

    def unwrap(self, blob: bytes, context: Mapping[str, str]) -> bytes:
        return bytes(reversed(super().unwrap(blob, context)))
