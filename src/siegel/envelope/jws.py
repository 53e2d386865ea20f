"""Tokens that others have signed (JWS in its compact form), and the public keys that prove them (JWK).

The key decides what a signature is, never the token: an RSA key knows RSA signatures, a key on P-256 knows ES256. So `none` is
the algorithm of no key, and no public key is ever taken for a shared secret (HS256). What a token says of where its key is to be
found (`jku`, `jwk`, `x5u`) is not read.

Sources: RFC 7515 (JWS), 7517 (JWK), 7518 (JWA), 8725 (JWT best current practices).
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from msgspec import Struct

from siegel.domain.limits import WEB_KEYS_MAX, WEB_TOKEN_CHARS_MAX
from siegel.domain.webtokens import TokenFormError, UnknownKeyError, WebTokenError

_Hash: TypeAlias = hashes.SHA256 | hashes.SHA384 | hashes.SHA512

RSA_BITS_MIN: Final = 2048
RSA_BITS_MAX: Final = 8192
_RSA_EXPONENT_MAX: Final = 2**32
_RSA: Final[dict[str, tuple[bool, _Hash]]] = {
    "RS256": (False, hashes.SHA256()),
    "RS384": (False, hashes.SHA384()),
    "RS512": (False, hashes.SHA512()),
    "PS256": (True, hashes.SHA256()),
}
_EC: Final[dict[str, tuple[str, ec.EllipticCurve, _Hash]]] = {
    "P-256": ("ES256", ec.SECP256R1(), hashes.SHA256()),
    "P-384": ("ES384", ec.SECP384R1(), hashes.SHA384()),
}
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


class SignedToken(Struct, frozen=True):
    """A token, taken apart and not proven: `signed` are the bytes that `signature` is about, `payload` is what it says."""

    algorithm: str
    key_id: str | None
    payload: bytes
    signed: bytes
    signature: bytes


class VerifyingKey(Struct, frozen=True):
    """A public key of a provider. `algorithms` are all that its type, and what the provider says of it, leave."""

    key_id: str | None
    algorithms: frozenset[str]
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey

    def proves(self, token: SignedToken) -> bool:
        """Tell whether this key has signed the token, by an algorithm that is the key's own."""
        if token.algorithm not in self.algorithms:
            return False
        try:
            if isinstance(self.key, rsa.RSAPublicKey):
                self._prove_rsa(self.key, token)
            else:
                self._prove_ec(self.key, token)
        except InvalidSignature:
            return False
        return True

    @staticmethod
    def _prove_rsa(key: rsa.RSAPublicKey, token: SignedToken) -> None:
        is_pss, digest = _RSA[token.algorithm]
        padded = padding.PSS(padding.MGF1(digest), digest.digest_size) if is_pss else padding.PKCS1v15()
        key.verify(token.signature, token.signed, padded, digest)

    @staticmethod
    def _prove_ec(key: ec.EllipticCurvePublicKey, token: SignedToken) -> None:
        size_bytes = (key.curve.key_size + 7) // 8
        if len(token.signature) != 2 * size_bytes:
            raise InvalidSignature
        r, s = (int.from_bytes(half) for half in (token.signature[:size_bytes], token.signature[size_bytes:]))
        digest = next(digest for _, curve, digest in _EC.values() if curve.name == key.curve.name)
        key.verify(encode_dss_signature(r, s), token.signed, ec.ECDSA(digest))


class _Header(Struct):
    alg: str
    kid: str | None = None
    crit: object = None


class _Jwk(Struct):
    kty: str = ""
    kid: str | None = None
    use: str = "sig"
    key_ops: tuple[str, ...] = ("verify",)
    alg: str = ""
    n: str = ""
    e: str = ""
    crv: str = ""
    x: str = ""
    y: str = ""


class _KeySet(Struct):
    keys: tuple[msgspec.Raw, ...]


def read_token(text: str) -> SignedToken:
    """Take a token apart. Raises TokenFormError: what this returns is still not proven."""
    parts = text.split(".", 3) if len(text) <= WEB_TOKEN_CHARS_MAX else []
    if len(parts) != 3:  # noqa: PLR2004  header, payload, signature
        raise TokenFormError("not three parts of a compact JWS")
    try:
        header = msgspec.json.decode(_decode(parts[0]), type=_Header)
    except (msgspec.DecodeError, RecursionError) as error:
        raise TokenFormError(f"the header is not one of a JWS: {error}") from error
    if header.crit is not None:
        raise WebTokenError("the token has extensions that must be understood, and are not")
    signed = f"{parts[0]}.{parts[1]}".encode()
    return SignedToken(header.alg, header.kid, _decode(parts[1]), signed, _decode(parts[2]))


def read_keys(document: bytes) -> tuple[VerifyingKey, ...]:
    """Return the keys of a JWK set that can prove tokens; others are passed over, as RFC 7517 wants it.

    Raises WebTokenError for what is no such set, or has more than WEB_KEYS_MAX keys.
    """
    try:
        found = msgspec.json.decode(document, type=_KeySet).keys
    except (msgspec.DecodeError, RecursionError) as error:
        raise WebTokenError(f"not a set of JSON Web Keys: {error}") from error
    if len(found) > WEB_KEYS_MAX:
        raise WebTokenError(f"more than {WEB_KEYS_MAX} keys")
    return tuple(key for raw in found if (key := _read_key(raw)) is not None)


def find_key(token: SignedToken, keys: Sequence[VerifyingKey]) -> VerifyingKey:
    """Return the key that the token says it is signed by; one that names none must have the only key that it could be.

    Raises UnknownKeyError.
    """
    named = [key for key in keys if token.algorithm in key.algorithms and token.key_id in {None, key.key_id}]
    if len(named) != 1:
        raise UnknownKeyError(f"{len(named)} keys could have signed the token")
    return named[0]


def _read_key(raw: msgspec.Raw) -> VerifyingKey | None:
    try:
        jwk = msgspec.json.decode(raw, type=_Jwk)
        if jwk.use != "sig" or "verify" not in jwk.key_ops:
            return None
        made = _make_rsa(jwk) if jwk.kty == "RSA" else _make_ec(jwk)
    except (msgspec.DecodeError, TokenFormError, ValueError, RecursionError):
        return None
    algorithms, key = made
    own = frozenset(algorithms) if not jwk.alg else frozenset(algorithms) & {jwk.alg}
    return VerifyingKey(jwk.kid, own, key)


def _make_rsa(jwk: _Jwk) -> tuple[Sequence[str], rsa.RSAPublicKey]:
    n, e = int.from_bytes(_decode(jwk.n)), int.from_bytes(_decode(jwk.e))
    if not RSA_BITS_MIN <= n.bit_length() <= RSA_BITS_MAX or e > _RSA_EXPONENT_MAX:
        raise ValueError("an RSA key of this size is not believed")
    if n % 2 == 0:
        raise ValueError("a modulus that is even is no product of two large primes")
    return tuple(_RSA), rsa.RSAPublicNumbers(e, n).public_key()


def _make_ec(jwk: _Jwk) -> tuple[Sequence[str], ec.EllipticCurvePublicKey]:
    if jwk.kty != "EC" or jwk.crv not in _EC:
        raise ValueError("a key of an unknown type")
    algorithm, curve, _ = _EC[jwk.crv]
    x, y = _decode(jwk.x), _decode(jwk.y)
    if {len(x), len(y)} != {(curve.key_size + 7) // 8}:
        raise ValueError("coordinates have the length of their curve")
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), curve)
    key = numbers.public_key()
    if key.public_numbers() != numbers:
        raise ValueError("coordinates are below the prime of their curve")
    return (algorithm,), key


def _decode(text: str) -> bytes:
    """Decode base64url without padding, in the only way that it can be written. Raises TokenFormError."""
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise TokenFormError("not base64url")
    decoded = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if urlsafe_b64encode(decoded).rstrip(b"=").decode() != text:
        raise TokenFormError("not base64url in its only form")
    return decoded
