"""Encrypting before sending: the client's format, `docs/design/formats/client.md`. The store never holds a key.

Read `header.py` (what an object is), `recipients.py` (for whom), `seal.py`, `opening.py`, `seen.py` (rollback), `keyserver.py`
(the customer's box), `store.py` (S3), `filesystem.py` (fsspec).

    key = read_key_file(Path("my.key"))
    place = parse_uri("s3://evidence/2026/clip.mp4")
    sealed = seal_stream(stream, size_bytes, place, sealer=key, recipients=[])
    video = open_sealed(source, place, key=key, trusted=[key.sealer]); video.seek(10_000_000); video.read(4096)
"""

from siegel.customer.sealing.keyfile import KeyFile, Recipient, new_key_file, parse_recipient, read_key_file, write_key_file
from siegel.customer.sealing.keyserver import ClientCertificate, KeyServer, read_credential
from siegel.customer.sealing.manifest import Manifest
from siegel.customer.sealing.opening import StreamSource, open_sealed, open_stream
from siegel.customer.sealing.place import ObjectPlace, parse_uri
from siegel.customer.sealing.seal import SealedStream, seal_stream
from siegel.customer.sealing.sealedfile import SealedFile, Source
from siegel.customer.sealing.seen import Seen

__all__ = [
    "ClientCertificate",
    "KeyFile",
    "KeyServer",
    "Manifest",
    "ObjectPlace",
    "Recipient",
    "SealedFile",
    "SealedStream",
    "Seen",
    "Source",
    "StreamSource",
    "new_key_file",
    "open_sealed",
    "open_stream",
    "parse_recipient",
    "parse_uri",
    "read_credential",
    "read_key_file",
    "seal_stream",
    "write_key_file",
]
