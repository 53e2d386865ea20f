"""What a customer does to bring key material along: wrap it for the public key that was given out."""

from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import load_der_public_key

WRAPPING = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}


def wrap(algorithm: str, public_der: bytes, material: bytes, aes_key: bytes = b"w" * 32) -> bytes:
    public = load_der_public_key(public_der)
    assert isinstance(public, rsa.RSAPublicKey)
    digest = hashes.SHA256() if algorithm.endswith("SHA_256") else hashes.SHA1()
    oaep = padding.OAEP(padding.MGF1(digest), digest, None)
    if algorithm.startswith("RSA_AES"):
        return public.encrypt(aes_key, oaep) + aes_key_wrap_with_padding(aes_key, material)
    return public.encrypt(material, oaep)


def import_options(kms: Any, key_id: str, material: bytes, **options: Any) -> dict[str, Any]:
    """The members of an ImportKeyMaterial that succeeds, for material that does not expire unless `options` say so."""
    given = kms.get_parameters_for_import(KeyId=key_id, **WRAPPING)
    return {
        "KeyId": key_id,
        "ImportToken": given["ImportToken"],
        "EncryptedKeyMaterial": wrap(WRAPPING["WrappingAlgorithm"], given["PublicKey"], material),
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
        **options,
    }
