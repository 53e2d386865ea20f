"""Operations of KMS that are not built, by the reason."""

from typing import Final

_BY_REASON: Final = {
    "all keys are symmetric and encrypt: there are no key pairs": """
        Decapsulate DeriveSharedSecret Encapsulate GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext GetPublicKey Sign
        Verify""",
    "keys encrypt, they do not authenticate messages": "GenerateMac VerifyMac",
    "a key stays in the one region of its deployment": "ReplicateKey UpdatePrimaryRegion",
    "the ledger tells who used which key": "GetKeyLastUsage",
}

REFUSED: Final[dict[str, str]] = {name: reason for reason, names in _BY_REASON.items() for name in names.split()}
"""Every operation of KMS that is not built, with the reason."""
