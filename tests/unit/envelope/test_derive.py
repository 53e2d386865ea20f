"""Derived keys: HKDF-Expand-SHA-512, one key per label and context."""

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from siegel.envelope.derive import Label, derive_bucket_key, derive_key, expand

KEY = bytes(range(32))


@given(st.binary(min_size=1, max_size=80), st.binary(max_size=80), st.integers(1, 300))
def test_expand_is_the_hkdf_of_rfc_5869(key, info, length):
    assert expand(key, info, length) == HKDFExpand(SHA512(), length, info).derive(key)


def test_every_label_and_context_has_its_own_key():
    keys = {derive_key(KEY, label, context) for label in Label for context in (b"", b"a", b"b")}
    assert len(keys) == 3 * len(Label)
    assert {len(key) for key in keys} == {32}


def test_a_label_cannot_borrow_letters_from_its_context():
    info = b"siegel derive v1" + b"\x0f" + b"\x00\x02" + b"bucket wrapping" + b"ab"
    assert derive_key(KEY, Label.BUCKET_WRAPPING, b"ab") == expand(KEY, info, 32)


def test_every_bucket_has_its_own_key():
    assert derive_bucket_key(KEY, Label.BUCKET_METADATA, 1) != derive_bucket_key(KEY, Label.BUCKET_METADATA, 2)
    assert derive_bucket_key(KEY, Label.BUCKET_METADATA, 1) != derive_bucket_key(KEY, Label.BUCKET_WRAPPING, 1)
    assert derive_bucket_key(KEY, Label.BUCKET_METADATA, 1) == derive_key(KEY, Label.BUCKET_METADATA, b"\0" * 7 + b"\1")
