"""What the customer's programs call of ciphers, at the edges: `tests/vectors/primitives/README.md` tells the classes of cases."""

import hmac
import json
from base64 import b64encode
from pathlib import Path

import pytest

from siegel.customer.keybox.boxfile import Effort, Header, Unlocking, derive_sealing_key, read_header
from siegel.customer.keybox.certificates import FORMAT, verify_certificate
from siegel.customer.keybox.ciphers import RANDOM_BYTES, Sealed, open_blob, open_xks, seal_blob, seal_xks
from siegel.customer.keybox.refusals import RefusedError
from siegel.customer.sealing.header import PREAMBLE_BYTES, build_header
from siegel.customer.sealing.header import open_header as open_any_header
from siegel.customer.sealing.keyfile import KeyFile, Recipient, new_key_file
from siegel.customer.sealing.manifest import Manifest
from siegel.customer.sealing.place import ObjectPlace
from siegel.customer.sealing.recipients import STANZA_BYTES, unwrapper, wrap
from siegel.customer.sealing.refusals import HeaderChangedError, KeyFileError, UnknownSealerError
from siegel.domain.errors import SealBrokenError

FOLDER = Path(__file__).parents[2] / "vectors" / "primitives"
ED25519, X25519, ARGON2ID, GCM = (
    json.loads((FOLDER / f"{name}.json").read_text()) for name in ("ed25519", "x25519", "argon2id", "aes-gcm")
)
MATERIAL, DATA_KEY, OBJECT_ID = b"m" * 32, b"d" * 32, b"i" * 16
SEGMENT_HEADER = bytes(88)


def named(vectors):
    assert vectors
    return [pytest.param(vector, id=vector["name"]) for vector in vectors]


def certificate(signature, public_key):
    told = {
        "format": FORMAT,
        "statement": ED25519["statement"],
        "public_key": public_key,
        "signature": b64encode(bytes.fromhex(signature)).decode(),
    }
    return json.dumps(told).encode()


def spelled(public_key):
    return b64encode(bytes.fromhex(public_key)).decode()


def test_a_certificate_is_proven_by_its_signature():
    public_key = spelled(ED25519["public_key"])
    told = verify_certificate(certificate(ED25519["certificate"]["good"], public_key), public_key)
    assert told == json.loads(ED25519["statement"])


@pytest.mark.parametrize("vector", named(ED25519["certificate"]["bad"]))
def test_a_certificate_is_not_proven_by_what_is_almost_its_signature(vector):
    public_key = spelled(ED25519["public_key"])
    with pytest.raises(SealBrokenError, match="signature"):
        verify_certificate(certificate(vector["signature"], public_key), public_key)


@pytest.mark.parametrize("public_key", ED25519["weak_public_keys"])
def test_a_point_of_small_order_is_no_boxs_key(public_key):
    with pytest.raises(SealBrokenError, match="small order"):
        verify_certificate(certificate(ED25519["weak_forgery"], spelled(public_key)), spelled(public_key))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_public_key_has_32_bytes(length):
    public_key = b64encode(bytes(range(length))).decode()
    with pytest.raises(SealBrokenError):
        verify_certificate(certificate(ED25519["certificate"]["good"], public_key), public_key)


def recipient_with(key, *, x25519=None, sealer=None):
    public = key.recipient.kem_bytes
    x25519 = public[-32:] if x25519 is None else bytes.fromhex(x25519)
    return Recipient(public[:-32] + x25519 + (key.sealer if sealer is None else bytes.fromhex(sealer)))


@pytest.mark.parametrize("public_key", X25519["weak_public_keys"])
def test_nobody_seals_for_a_point_of_small_order(public_key):
    with pytest.raises(KeyFileError, match="small order"):
        recipient_with(new_key_file(), x25519=public_key)


@pytest.mark.parametrize("public_key", ED25519["weak_public_keys"])
def test_nobody_trusts_a_point_of_small_order(public_key):
    with pytest.raises(KeyFileError, match="small order"):
        recipient_with(new_key_file(), sealer=public_key)


class WeakSealer:
    """Somebody whose public key fits signatures that nobody made."""

    def __init__(self, public_key):
        self.sealer = bytes.fromhex(public_key)
        self.signing_key = self

    def sign(self, _message):
        return bytes.fromhex(ED25519["weak_forgery"])


def header_of(key, sealer, stanza=None):
    manifest = Manifest(
        bucket="box",
        object_key="letter",
        account_id="1",
        size_bytes=0,
        chunk_bytes=16384,
        sequence=1,
        sealed_at_ms=1,
        name="letter",
        previous=None,
        sealer=sealer.sealer.hex(),
    )
    stanza = stanza or wrap(DATA_KEY, key.recipient, OBJECT_ID)
    header, _ = build_header(manifest, DATA_KEY, OBJECT_ID, [stanza], SEGMENT_HEADER, nonce=b"n" * 12, sealer=sealer)
    return header + SEGMENT_HEADER


def open_header(start, key, trusted):
    return open_any_header(start, unwrapper(key, None, ObjectPlace("box", "letter", "1")), trusted)


@pytest.mark.parametrize("public_key", ED25519["weak_public_keys"])
def test_a_point_of_small_order_sealed_nothing_even_if_it_is_trusted(public_key):
    key, weak = new_key_file(), WeakSealer(public_key)
    with pytest.raises(UnknownSealerError, match="small order"):
        open_header(header_of(key, weak), key, [weak.sealer])


def test_the_header_above_opens_for_an_honest_sealer():
    key = new_key_file()
    assert open_header(header_of(key, key), key, [key.sealer]).data_key == DATA_KEY


@pytest.mark.parametrize("public_key", X25519["weak_public_keys"])
def test_an_encapsulated_point_of_small_order_opens_nothing(public_key):
    key = new_key_file()
    honest = wrap(DATA_KEY, key.recipient, OBJECT_ID)
    # Name of the recipient, ciphertext of ML-KEM, then the ephemeral key of X25519.
    weak = honest[: 8 + 1088] + bytes.fromhex(public_key) + honest[8 + 1120 :]
    assert len(weak) == STANZA_BYTES
    with pytest.raises(HeaderChangedError, match="does not unwrap"):
        open_header(header_of(key, key, weak), key, [key.sealer])


@pytest.mark.parametrize("place", [8, 500, 8 + 1087, 8 + 1088, 8 + 1119, 8 + 1120, 8 + 1120 + 31, 8 + 1120 + 47])
def test_a_flipped_bit_of_a_wrap_opens_nothing(place):
    key = new_key_file()
    stanza = bytearray(wrap(DATA_KEY, key.recipient, OBJECT_ID))
    stanza[place] ^= 1
    with pytest.raises(HeaderChangedError, match="does not unwrap"):
        open_header(header_of(key, key, bytes(stanza)), key, [key.sealer])


def test_a_wrap_of_another_object_or_for_another_key_opens_nothing():
    key, other = new_key_file(), new_key_file()
    moved = wrap(DATA_KEY, key.recipient, b"j" * 16)
    honest = wrap(DATA_KEY, key.recipient, OBJECT_ID)
    for stanza in (honest[:8] + moved[8:], honest[:8] + wrap(DATA_KEY, other.recipient, OBJECT_ID)[8:]):
        with pytest.raises(HeaderChangedError, match="does not unwrap"):
            open_header(header_of(key, key, stanza), key, [key.sealer])


@pytest.mark.parametrize("change", [b"", bytes(1184), b"\xff" * 1184])
def test_a_recipient_has_a_key_of_ml_kem_768(change):
    key = new_key_file()
    rest = key.recipient.kem_bytes[1184:] + key.sealer
    if change == bytes(1184):
        # Zeros are a key like any other: coefficients below the modulus.
        Recipient(change + rest)
        return
    with pytest.raises(KeyFileError):
        Recipient(change + rest)


def test_a_key_file_is_deterministic_and_has_one_length():
    secret = bytes(range(160))
    assert KeyFile(secret).recipient.line == KeyFile(secret).recipient.line
    for length in (0, 159, 161):
        with pytest.raises(KeyFileError):
            KeyFile(bytes(length))


@pytest.mark.parametrize("vector", named(ARGON2ID["good"]))
def test_a_passphrase_opens_by_argon2id(vector):
    effort = Effort(vector["iterations"], vector["memory_kib"], vector["lanes"])
    header = Header(Unlocking.PASSPHRASE, effort, bytes.fromhex(vector["salt"]))
    read_header(header.encode() + bytes(12 + 16))
    assert derive_sealing_key(header, bytes.fromhex(vector["passphrase"])).hex() == vector["sealing_key"]
    prk = hmac.digest(header.salt, bytes.fromhex(vector["argon2id"]), "sha256")
    assert hmac.digest(prk, b"siegel keybox file v1\1", "sha256").hex() == vector["sealing_key"]


def test_no_two_passphrases_or_efforts_open_alike():
    keys = {vector["sealing_key"] for vector in ARGON2ID["good"]}
    assert len(keys) == len(ARGON2ID["good"])


@pytest.mark.parametrize("vector", named(ARGON2ID["refused"]))
def test_efforts_that_are_none_or_never_end_are_refused(vector):
    numbers = (vector["iterations"], vector["memory_kib"], vector["lanes"])
    front = b"SIEGELKB\1" + bytes([vector["unlocking"]]) + b"".join(number.to_bytes(4, "big") for number in numbers)
    with pytest.raises(SealBrokenError, match="damaged"):
        read_header(front + bytes(16 + 12 + 16))


def changes(name):
    """What the bad vectors of AES-GCM do to a tag or a ciphertext, for a seal of our own."""
    base = GCM["bad"][0]
    good = next(vector for vector in GCM["good"] if vector["name"].startswith("case 16"))
    return [
        pytest.param(vector, id=vector["name"])
        for vector in GCM["bad"]
        if vector[name] != good[name] and vector["key"] == base["key"]
    ]


def moved(own, good, bad):
    """Do to `own` what was done to `good` to make `bad`: cut, lengthened, or bits flipped."""
    if len(bad) != len(good):
        return own[: len(bad)] + bytes(max(len(bad) - len(own), 0))
    return bytes(mine ^ one ^ other for mine, one, other in zip(own, good, bad, strict=True))


@pytest.mark.parametrize("vector", changes("tag"))
def test_the_boxs_seals_have_whole_tags(vector):
    good = next(one for one in GCM["good"] if one["name"].startswith("case 16"))
    tags = bytes.fromhex(good["tag"]), bytes.fromhex(vector["tag"])
    sealed = seal_xks(MATERIAL, b"plaintext of some bytes", b"aad", bytes(RANDOM_BYTES))
    with pytest.raises(RefusedError):
        open_xks(MATERIAL, Sealed(sealed.ciphertext, sealed.iv, moved(sealed.tag, *tags), sealed.metadata), b"aad")
    blob = seal_blob(MATERIAL, "key", b"plaintext of some bytes", {}, bytes(RANDOM_BYTES))
    with pytest.raises(RefusedError):
        open_blob(MATERIAL, blob[:-16] + moved(blob[-16:], *tags), {})


@pytest.mark.parametrize("plaintext", [b"", b"x", bytes(4096)])
@pytest.mark.parametrize("aad", [b"", b"a", bytes(65535)])
def test_nothing_and_much_are_sealed_and_opened(plaintext, aad):
    sealed = seal_xks(MATERIAL, plaintext, aad, bytes(RANDOM_BYTES))
    assert (len(sealed.ciphertext), len(sealed.iv), len(sealed.tag)) == (len(plaintext), 12, 16)
    assert open_xks(MATERIAL, sealed, aad) == plaintext
    for other in (aad + b"\0", aad[:-1] if aad else b"x"):
        with pytest.raises((RefusedError, OverflowError)):
            open_xks(MATERIAL, sealed, other)


def test_the_preamble_is_where_the_wraps_begin():
    key = new_key_file()
    assert header_of(key, key)[PREAMBLE_BYTES : PREAMBLE_BYTES + 8] == wrap(DATA_KEY, key.recipient, OBJECT_ID)[:8]
