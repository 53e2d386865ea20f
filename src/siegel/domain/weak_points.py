"""Public keys that are no keys: points of small order on Curve25519, which libraries take without a word.

With such an Ed25519 key, signatures that nobody made fit many messages, or all of them: whoever publishes it can deny everything.
With such an X25519 key, the shared secret is zero, whatever the other side does.

Sources: RFC 7748 section 6.1, RFC 8032 section 5.1; "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko, 2020), table 1.
"""

from typing import Final

_FIELD: Final = 2**255 - 19
_SIGN_BIT: Final = 2**255

# y of the eight points whose order divides 8, each with both signs of x.
_EDWARDS_Y: Final = frozenset(
    {
        0,
        1,
        _FIELD - 1,
        int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
        int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
    }
)
# u of the points whose order divides 8, on the curve and on its twist.
_MONTGOMERY_U: Final = frozenset(
    {
        0,
        1,
        _FIELD - 1,
        int.from_bytes(bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), "little"),
        int.from_bytes(bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"), "little"),
    }
)


def is_weak_signer(public_key: bytes) -> bool:
    """Tell whether an Ed25519 public key of 32 bytes is of small order, however it is written."""
    return _coordinate(public_key) in _EDWARDS_Y


def is_weak_recipient(public_key: bytes) -> bool:
    """Tell whether an X25519 public key of 32 bytes is of small order, however it is written."""
    return _coordinate(public_key) in _MONTGOMERY_U


def _coordinate(public_key: bytes) -> int:
    """Return the coordinate that the bytes stand for; one that is not below the field's prime is written the long way round."""
    return int.from_bytes(public_key, "little") % _SIGN_BIT % _FIELD
