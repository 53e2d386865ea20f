"""Signed tokens and the keys that prove them, and the ways in which one is passed off as the other."""

import hmac
import json
from base64 import urlsafe_b64encode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from siegel.domain.webtokens import TokenFormError, UnknownKeyError, WebTokenError
from siegel.envelope.jws import find_key, read_keys, read_token

RSA = rsa.generate_private_key(65537, 2048)
OTHER_RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CLAIMS = {"sub": "ann"}


def b64(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8))


def jwk(key, **more):
    numbers = key.public_key().public_numbers()
    if isinstance(key, rsa.RSAPrivateKey):
        return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e), **more}
    size = (key.key_size + 7) // 8
    return {"kty": "EC", "crv": f"P-{key.key_size}", "x": number(numbers.x, size), "y": number(numbers.y, size), **more}


def key_set(*keys):
    return read_keys(json.dumps({"keys": list(keys)}).encode())


def signature(key, algorithm, signed):
    digest = HASHES[algorithm[2:]]
    if algorithm.startswith("RS"):
        return key.sign(signed, padding.PKCS1v15(), digest)
    if algorithm.startswith("PS"):
        return key.sign(signed, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    size = (key.key_size + 7) // 8
    return b"".join(half.to_bytes(size) for half in decode_dss_signature(key.sign(signed, ec.ECDSA(digest))))


def token(key, algorithm, **header):
    signed = f"{b64(json.dumps({'alg': algorithm, **header}).encode())}.{b64(json.dumps(CLAIMS).encode())}"
    return f"{signed}.{b64(signature(key, algorithm, signed.encode()))}"


def is_proven(text, keys):
    read = read_token(text)
    return find_key(read, keys).proves(read)


@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA, "RS256"), (RSA, "RS384"), (RSA, "RS512"), (RSA, "PS256"), (P256, "ES256"), (P384, "ES384")]
)
def test_a_token_is_proven_by_the_key_that_signed_it(key, algorithm):
    keys = key_set(jwk(OTHER_RSA, kid="other"), jwk(key, kid="k"))
    read = read_token(token(key, algorithm, kid="k"))
    assert json.loads(read.payload) == CLAIMS
    assert find_key(read, keys).proves(read)


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (RSA, "PS256"), (P256, "ES256"), (P384, "ES384")])
def test_every_flipped_bit_of_a_signature_is_noticed(key, algorithm):
    read = read_token(token(key, algorithm))
    (own,) = key_set(jwk(key))
    for bit in range(0, len(read.signature) * 8, 7):
        broken = bytearray(read.signature)
        broken[bit // 8] ^= 1 << bit % 8
        assert not own.proves(type(read)(read.algorithm, None, read.payload, read.signed, bytes(broken)))
    assert not own.proves(type(read)(read.algorithm, None, read.payload, read.signed + b" ", read.signature))
    for cut in (b"", read.signature[:-1], read.signature + b"\0"):
        assert not own.proves(type(read)(read.algorithm, None, read.payload, read.signed, cut))


def test_another_key_of_the_same_name_proves_nothing():
    assert not is_proven(token(RSA, "RS256", kid="k"), key_set(jwk(OTHER_RSA, kid="k")))


@pytest.mark.parametrize("algorithm", ["none", "NoNe", "NONE", "", "HS256", "hs256", "RS1", "rs256", "ES256", "ES512", "EdDSA"])
@pytest.mark.parametrize("bare", [True, False])
def test_t20_ceph_cve_2024_48916_the_token_does_not_choose_what_a_signature_is(algorithm, bare):
    """No signature at all, or the public key as the secret of an HMAC."""
    header = b64(json.dumps({"alg": algorithm, "kid": "k"}).encode())
    signed = f"{header}.{b64(json.dumps(CLAIMS).encode())}"
    public = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    forged = "" if bare else b64(hmac.digest(public, signed.encode(), "sha256"))
    read = read_token(f"{signed}.{forged}")
    keys = key_set(jwk(RSA, kid="k"))
    with pytest.raises(UnknownKeyError):
        find_key(read, keys)
    assert not keys[0].proves(read)


def test_t20_a_key_that_the_token_brings_is_not_read():
    text = token(
        OTHER_RSA, "RS256", kid="k", jwk=jwk(OTHER_RSA, kid="k"), jku="https://evil.example/keys", x5u="https://evil.example"
    )
    assert not is_proven(text, key_set(jwk(RSA, kid="k")))


def test_t20_extensions_that_must_be_understood_are_not():
    with pytest.raises(WebTokenError, match="extensions"):
        read_token(token(RSA, "RS256", crit=["b64"], b64=False))


def test_what_the_provider_says_of_a_key_holds():
    assert is_proven(token(RSA, "RS256"), key_set(jwk(RSA, alg="RS256", use="sig", key_ops=["verify"])))
    for more in ({"alg": "RS512"}, {"alg": "RSA-OAEP"}, {"use": "enc"}, {"key_ops": ["encrypt"]}):
        with pytest.raises(UnknownKeyError):
            is_proven(token(RSA, "RS256"), key_set(jwk(RSA, **more)))


def test_a_token_without_a_name_of_its_key_needs_the_only_one():
    assert is_proven(token(RSA, "RS256"), key_set(jwk(RSA, kid="a"), jwk(P256, kid="b")))
    with pytest.raises(UnknownKeyError):
        is_proven(token(RSA, "RS256"), key_set(jwk(RSA, kid="a"), jwk(OTHER_RSA, kid="b")))
    with pytest.raises(UnknownKeyError):
        is_proven(token(RSA, "RS256", kid="c"), key_set(jwk(RSA, kid="a")))
    with pytest.raises(UnknownKeyError):
        is_proven(token(RSA, "RS256", kid="a"), key_set(jwk(RSA, kid="a"), jwk(RSA, kid="a")))


def test_keys_that_cannot_be_used_are_passed_over():
    small = rsa.generate_private_key(65537, 1024)
    point = jwk(P256)
    unusable = (
        jwk(small),
        jwk(RSA) | {"e": number(2**33 + 1)},
        jwk(RSA) | {"e": number(2)},
        jwk(RSA) | {"n": b64(b"\xff" * 1025)},
        jwk(RSA) | {"n": "a+b"},
        jwk(RSA) | {"n": 5},
        point | {"y": point["x"]},
        point | {"crv": "P-521"},
        point | {"crv": "secp256k1"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
        {},
        "key",
        None,
    )
    assert key_set(*unusable) == ()
    assert len(key_set(*unusable, jwk(RSA))) == 1


DEEP = b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}"


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{}", b'{"keys":{}}', b"\xff", json.dumps({"keys": [{}] * 101}).encode(), DEEP]
)
def test_what_is_no_set_of_keys_is_refused(document):
    with pytest.raises(WebTokenError):
        read_keys(document)


GOOD = token(RSA, "RS256")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "a.b.c.d",
        GOOD + ".",
        GOOD + "=",
        GOOD + " ",
        " " + GOOD,
        GOOD.replace(".", "..", 1),
        "{}." + GOOD.partition(".")[2],
        b64(b"{}") + "." + GOOD.partition(".")[2],
        b64(b'"alg"') + "." + GOOD.partition(".")[2],
        b64(b'{"alg":1}') + "." + GOOD.partition(".")[2],
        b64(b'{"alg":"RS256","kid":1}') + "." + GOOD.partition(".")[2],
        b64(b"\xff") + "." + GOOD.partition(".")[2],
        b64(DEEP) + "." + GOOD.partition(".")[2],
        "A" + "." + GOOD.partition(".")[2],
        "QQ.QR." + GOOD.rpartition(".")[2],
        b64(b'{"alg":"RS256"}') + ".QR." + GOOD.rpartition(".")[2],
        b64(b'{"alg":"RS256"}') + ".ä." + GOOD.rpartition(".")[2],
        "a" * 20_001,
        GOOD + "A" * 20_000,
    ],
)
def test_what_is_no_token_is_refused(text):
    with pytest.raises(TokenFormError):
        read_token(text)
