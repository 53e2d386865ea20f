"""What the envelope calls of ciphers, at the edges: `tests/vectors/primitives/README.md` tells the classes of cases."""

import hashlib
import json
from pathlib import Path

import pytest

from siegel.domain.errors import SealBrokenError
from siegel.domain.webtokens import UnknownKeyError
from siegel.envelope.derive import Label, derive_key, expand
from siegel.envelope.importing import ImportWrapping, unwrap_import
from siegel.envelope.jws import find_key, read_keys, read_token
from siegel.envelope.record import RecordKey

FOLDER = Path(__file__).parents[2] / "vectors" / "primitives"
GCM, HKDF, IMPORT, JWS = (json.loads((FOLDER / f"{name}.json").read_text()) for name in ("aes-gcm", "hkdf", "rsa-import", "jws"))


def named(vectors):
    assert vectors
    return [pytest.param(vector, id=f"{vector.get('wrapping', '')} {vector['name']}".strip()) for vector in vectors]


def hexed(vector, *names):
    return (bytes.fromhex(vector[name]) for name in names)


def test_t87_c2sp_wycheproof_records_open_what_nist_says_and_nothing_else():
    """C2SP/wycheproof, the class: a wrapper that lets through what its library refuses, or refuses what it must open."""
    opened = refused = 0
    for key, nonce, aad, ciphertext, tag, plaintext in json.loads((FOLDER / "aes-gcm-nist.json").read_text()):
        record = RecordKey(bytes.fromhex(key))
        sealed = bytes.fromhex("01" + nonce + ciphertext + tag)
        if plaintext is None:
            with pytest.raises(SealBrokenError):
                record.open(sealed, bytes.fromhex(aad))
            refused += 1
            continue
        assert record.open(sealed, bytes.fromhex(aad)).hex() == plaintext
        assert record.seal(bytes.fromhex(plaintext), bytes.fromhex(aad), bytes.fromhex(nonce)) == sealed
        opened += 1
    assert (opened, refused) == (184, 191)


@pytest.mark.parametrize("vector", named(GCM["good"]))
def test_t87_records_are_aes_gcm(vector):
    key, nonce, aad, plaintext, ciphertext, tag = hexed(vector, "key", "nonce", "aad", "plaintext", "ciphertext", "tag")
    sealed = RecordKey(key).seal(plaintext, aad, nonce)
    assert sealed == b"\1" + nonce + ciphertext + tag
    assert RecordKey(key).open(sealed, aad) == plaintext


@pytest.mark.parametrize("vector", named(GCM["bad"]))
def test_t87_records_that_are_almost_right_do_not_open(vector):
    key, nonce, aad, ciphertext, tag = hexed(vector, "key", "nonce", "aad", "ciphertext", "tag")
    with pytest.raises(SealBrokenError):
        RecordKey(key).open(b"\1" + nonce + ciphertext + tag, aad)


@pytest.mark.parametrize("vector", named(GCM["refused"]))
def test_keys_and_nonces_of_a_wrong_size_seal_nothing(vector):
    key, nonce = hexed(vector, "key", "nonce")
    with pytest.raises(ValueError, match="bytes"):
        RecordKey(key).seal(b"plain", b"", nonce)


@pytest.mark.parametrize("vector", named(HKDF["good"]))
def test_t87_derivation_is_hkdf_expand(vector):
    output = expand(*hexed(vector, "key", "info"), vector["length"])
    if "output" in vector:
        assert output.hex() == vector["output"]
    else:
        assert hashlib.sha256(output).hexdigest() == vector["sha256"]


@pytest.mark.parametrize("vector", named(HKDF["refused"]))
def test_derivation_ends_where_hkdf_does(vector):
    with pytest.raises(ValueError, match="range"):
        expand(*hexed(vector, "key", "info"), vector["length"])


def test_no_two_labels_and_contexts_run_into_each_other():
    keys = {derive_key(b"k" * 32, label, context) for label in Label for context in (b"", b"\0", b"\0\0", label.value, b"v1")}
    assert len(keys) == 5 * len(Label)


@pytest.mark.parametrize("vector", named(IMPORT["good"]))
def test_imported_material_unwraps(vector):
    (wrapped,) = hexed(vector, "wrapped")
    unwrapped = unwrap_import(ImportWrapping(vector["wrapping"]), bytes.fromhex(IMPORT["private_key"]), wrapped)
    assert unwrapped.hex() == vector["material"]


@pytest.mark.parametrize("vector", named(IMPORT["bad"]))
def test_imported_material_that_is_almost_right_does_not_unwrap(vector):
    (wrapped,) = hexed(vector, "wrapped")
    with pytest.raises(SealBrokenError, match="does not unwrap"):
        unwrap_import(ImportWrapping(vector["wrapping"]), bytes.fromhex(IMPORT["private_key"]), wrapped)


def proves(text, keys):
    token = read_token(text)
    return find_key(token, read_keys(json.dumps({"keys": keys}).encode())).proves(token)


@pytest.mark.parametrize("vector", named(JWS["good"]))
def test_tokens_are_proven(vector):
    assert proves(vector["token"], JWS["keys"])


@pytest.mark.parametrize("vector", named(JWS["bad"]))
def test_tokens_that_are_almost_right_are_not(vector):
    try:
        assert not proves(vector["token"], JWS["keys"])
    except UnknownKeyError:
        assert "names the RSA key" in vector["name"]


@pytest.mark.parametrize("vector", named(JWS["refused"]))
def test_keys_that_are_none_are_passed_over(vector):
    assert read_keys(json.dumps({"keys": [vector["key"], *JWS["keys"]]}).encode()) == read_keys(
        json.dumps({"keys": JWS["keys"]}).encode()
    )
