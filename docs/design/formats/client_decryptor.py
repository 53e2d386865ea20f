"""Opens one sealed object: a second implementation of client.md, with nothing but `cryptography`.

With a key file:

    python client_decryptor.py KEY-FILE OBJECT-FILE s3://BUCKET/OBJECT-KEY [ACCOUNT-ID] > PLAINTEXT

With a key server, which is asked by any client of KMS:

    python client_decryptor.py --ask OBJECT-FILE s3://BUCKET/OBJECT-KEY [ACCOUNT-ID] > ask.json
    aws kms decrypt --cli-input-json file://ask.json --query Plaintext --output text --endpoint-url URL > box.key
    python client_decryptor.py --box-key box.key SEALER.pub OBJECT-FILE s3://BUCKET/OBJECT-KEY [ACCOUNT-ID] > PLAINTEXT

It trusts the key file's own sealer or the named one, keeps no memory (so it does not see rollbacks), and holds the object in
memory. It exits with a sentence if anything is not as the page says, before it has written a byte.
"""

import base64
import hashlib
import hmac
import json
import sys
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PREAMBLE, STANZA, SEGMENT_HEADER, CHUNK, TAG = 32, 1176, 88, 16384, 16
Place = tuple[str, str, str]  # account id, bucket, object key
Unwrap = Callable[[bytes, bytes, bytes], bytes]
MEMBERS = {
    "account_id",
    "bucket",
    "object_key",
    "size_bytes",
    "chunk_bytes",
    "sequence",
    "sealed_at_ms",
    "name",
    "previous",
    "sealer",
}


def demand(holds: object, otherwise: str) -> None:
    """Stop unless something holds."""
    if not holds:
        raise SystemExit(f"refused: {otherwise}")


def expand(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand with SHA-512."""
    blocks = [b""]
    while len(blocks) * 64 < length + 64:
        blocks.append(hmac.digest(key, blocks[-1] + info + bytes([len(blocks)]), "sha512"))
    return b"".join(blocks)[:length]


def read_line(text: str, marker: str, size: int) -> bytes:
    """Return what the one line of a key file or of a recipient holds."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    demand(len(lines) == 1 and lines[0].startswith(marker), f"not one line that begins with {marker}")
    data = base64.urlsafe_b64decode(lines[0].strip().removeprefix(marker))
    payload, check = data[:-4], data[-4:]
    demand(len(payload) == size and hashlib.sha256(payload).digest()[:4] == check, "the line is not whole")
    return payload


def read_key(text: str) -> bytes:
    """Return the 160 bytes of secrets of a key file."""
    return read_line(text, "siegel-key-1:", 160)


def sealer_of(secrets: bytes) -> bytes:
    """Return the Ed25519 key that a key file's signatures are checked with."""
    return Ed25519PrivateKey.from_private_bytes(secrets[96:128]).public_key().public_bytes_raw()


def unwrap(recipients: bytes, object_id: bytes, secrets: bytes) -> bytes:
    """Return the data key, by a key file."""
    mlkem = MLKEM768PrivateKey.from_seed_bytes(secrets[:64])
    x25519 = X25519PrivateKey.from_private_bytes(secrets[64:96])
    public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
    own = hashlib.sha256(b"siegel client recipient v1\x00" + object_id + public).digest()[:8]
    stanzas = [recipients[at : at + STANZA] for at in range(0, len(recipients), STANZA)]
    mine = [stanza[8:] for stanza in stanzas if stanza[:8] == own]
    demand(mine, "sealed for others than this key")
    suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    private = hpke.MLKEM768X25519PrivateKey(mlkem, x25519)
    return suite.decrypt(mine[0], private, info=b"siegel client data key v1\x00" + object_id)


def box_stanza(recipients: bytes, object_id: bytes) -> bytes:
    """Return the first stanza that is for a key server."""
    wanted = hashlib.sha256(b"siegel client keybox v1\x00" + object_id).digest()[:8]
    stanzas = [recipients[at : at + STANZA] for at in range(0, len(recipients), STANZA)]
    mine = [stanza for stanza in stanzas if stanza[:8] == wanted]
    demand(mine, "not sealed for a key server")
    return mine[0]


def ask(data: bytes, place: Place) -> dict[str, object]:
    """Return what the key server is to be asked."""
    object_id, count = data[16:32], int.from_bytes(data[10:12], "big")
    stanza = box_stanza(data[PREAMBLE : PREAMBLE + count * STANZA], object_id)
    account_id, bucket, object_key = place
    context = {
        "account": account_id,
        "bucket": bucket,
        "key": object_key,
        "version": object_id.hex(),
        "number": str(int.from_bytes(stanza[8:16], "big")),
        "format": "siegel client v1",
    }
    blob = stanza[66 : 66 + int.from_bytes(stanza[16:18], "big")]
    return {"CiphertextBlob": base64.b64encode(blob).decode(), "EncryptionContext": context}


def unwrap_with_box_key(recipients: bytes, object_id: bytes, box_key: bytes) -> bytes:
    """Return the data key, by what the key server answered."""
    wrapped = box_stanza(recipients, object_id)[18:66]
    return AESGCM(expand(box_key, b"siegel client keybox data key v1\x00" + object_id, 32)).decrypt(bytes(12), wrapped, None)


def open_manifest(data_key: bytes, sealed: bytes, bound: bytes) -> dict[str, object]:
    """Return the manifest."""
    label = b"client manifest"
    info = b"siegel derive v1" + bytes([len(label)]) + bytes(2) + label
    demand(sealed[0] == 1, "a record of an unknown version")
    manifest = json.loads(AESGCM(expand(data_key, info, 32)).decrypt(sealed[1:13], sealed[13:], bound))
    demand(set(manifest) == MEMBERS and manifest["chunk_bytes"] == CHUNK, "the manifest is not as the page says")
    return dict(manifest)


def open_body(data_key: bytes, object_id: bytes, manifest: dict[str, object], segment: bytes) -> bytes:
    """Return the plaintext of the body."""
    size = int(str(manifest["size_bytes"]))
    demand(len(segment) == SEGMENT_HEADER + size + TAG * (size // CHUNK + 1), "shorter or longer than it was sealed")
    preamble = b"SIEGELS\x01" + b"\x01\x00" + bytes(4) + bytes(2) + object_id
    demand(segment[:32] == preamble, "not the body of this object")
    account = str(manifest["account_id"]).encode()
    key = f"{manifest['bucket']}/{manifest['object_key']}".encode()
    lengths = b"".join(len(field).to_bytes(2, "big") for field in (account, key, object_id))
    context = b"SIEGEL-CTX\x01\x01" + bytes(8) + lengths + account + key + object_id + b"\x01" + bytes(4) + object_id
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00" + segment[32:56] + context
    keys = expand(data_key, info, 76)
    demand(hmac.compare_digest(keys[44:], segment[56:88]), "the body was sealed with another key or for another place")
    cipher, nonce = AESGCM(keys[:32]), int.from_bytes(keys[32:44], "big")
    chunks = range(SEGMENT_HEADER, len(segment), CHUNK + TAG)
    return b"".join(
        cipher.decrypt((nonce ^ k).to_bytes(12, "big"), segment[at : at + CHUNK + TAG], None) for k, at in enumerate(chunks)
    )


def open_object(data: bytes, secret: bytes, place: Place, sealer: bytes, unwrap: Unwrap = unwrap) -> bytes:
    """Return the plaintext of a sealed object; `unwrap` gets the data key by `secret` out of the recipients."""
    demand(
        len(data) > PREAMBLE and data[:9] == b"SIEGELC\x01\x01" and data[9] in (0, 1),
        "not a sealed object, or of an unknown version",
    )
    demand(data[9] == 1, "nobody signed it")
    object_id = data[16:32]
    manifest_at = PREAMBLE + int.from_bytes(data[10:12], "big") * STANZA
    signature_at = manifest_at + int.from_bytes(data[12:16], "big")
    body_at = signature_at + 64
    demand(len(data) > body_at + SEGMENT_HEADER, "cut short within its header")
    segment = data[body_at:]
    data_key = unwrap(data[PREAMBLE:manifest_at], object_id, secret)
    manifest = open_manifest(data_key, data[manifest_at:signature_at], data[:manifest_at] + segment[:SEGMENT_HEADER])
    demand(manifest["sealer"] == sealer.hex(), "signed by somebody else")
    said = data[:signature_at] + segment[:SEGMENT_HEADER]
    Ed25519PublicKey.from_public_bytes(sealer).verify(data[signature_at:body_at], b"siegel client signature v1\x00" + said)
    sealed_as = (manifest["account_id"], manifest["bucket"], manifest["object_key"])
    demand(sealed_as == place, f"sealed as {sealed_as}")
    return open_body(data_key, object_id, manifest, segment)


def main(*words: str) -> None:
    """Write the plaintext, or with --ask the question, to standard output."""
    if words[0] == "--ask":
        json.dump(ask(Path(words[1]).read_bytes(), place_of(*words[2:])), sys.stdout)
        return
    if words[0] == "--box-key":
        secret = base64.b64decode(Path(words[1]).read_text(encoding="utf-8"), validate=False)
        sealer = read_line(Path(words[2]).read_text(encoding="utf-8"), "siegel-recipient-1:", 1248)[-32:]
        rest, how = words[3:], unwrap_with_box_key
    else:
        secret = read_key(Path(words[0]).read_text(encoding="utf-8"))
        sealer, rest, how = sealer_of(secret), words[1:], unwrap
    try:
        plain = open_object(Path(rest[0]).read_bytes(), secret, place_of(*rest[1:]), sealer, how)
    except (InvalidTag, InvalidSignature):
        raise SystemExit("refused: it was changed") from None
    sys.stdout.buffer.write(plain)


def place_of(uri: str, account_id: str = "") -> Place:
    """Return the place that an address names."""
    bucket, _, object_key = uri.removeprefix("s3://").partition("/")
    return account_id, bucket, object_key


if __name__ == "__main__":
    main(*sys.argv[1:])
