"""What S3's operations take of keys of the key service, beside their own rights: the access matrix is generated from this.

Each right is decided by the key's policy, its grants and the caller's own policies, as a call of KMS would be.

Sources: Amazon S3 User Guide, "Using server-side encryption with AWS KMS keys (SSE-KMS)"; Amazon S3 API Reference,
"UpdateObjectEncryption", "Permissions". S3 does not say which of the rights to an update are asked of which of the two keys.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from siegel.service.kms.custody import OPEN, SEAL

REKEYING: Final[Mapping[str, tuple[str, ...]]] = {SEAL: ("kms:Encrypt", OPEN, "kms:ReEncryptTo"), OPEN: ("kms:ReEncryptFrom",)}
"""What else it takes to give another key to an object: of the new key, which SEALs, and of the one so far, which OPENs."""


class KeyRights(Struct, frozen=True):
    """What an operation takes of the key that an object has, and of the key that what it makes is to have."""

    of_present: tuple[str, ...] = ()
    of_new: tuple[str, ...] = ()


_READS: Final = KeyRights(of_present=(OPEN,))
_WRITES: Final = KeyRights(of_new=(SEAL,))

KEY_RIGHTS: Final[Mapping[str, KeyRights]] = {
    "GetObject": _READS,
    "HeadObject": _READS,
    "GetObjectAttributes": _READS,
    "PutObject": _WRITES,
    "PostObject": _WRITES,
    "CopyObject": KeyRights(of_present=(OPEN,), of_new=(SEAL,)),
    "CreateMultipartUpload": _WRITES,
    "UploadPart": _READS,
    "UploadPartCopy": _READS,
    "ListParts": _READS,
    "CompleteMultipartUpload": _READS,
    "UpdateObjectEncryption": KeyRights(of_present=(OPEN, *REKEYING[OPEN]), of_new=(SEAL, *REKEYING[SEAL])),
}
"""By operation; all others take nothing of keys. An upload in parts has its key from its beginning on."""
