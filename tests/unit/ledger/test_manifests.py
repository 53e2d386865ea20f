import hashlib

from siegel.ledger.manifests import manifest_hash

FIELDS = {
    "version_id": "null",
    "size_bytes": 5,
    "etag": "5d41402abc4b2a76b9719d911017c592",
    "checksum_algorithm": "SHA256",
    "checksum": "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
}


def test_a_manifest_is_five_lines():
    lines = (
        b"siegel manifest v1\nversion-id: null\nsize: 5\netag: 5d41402abc4b2a76b9719d911017c592\n"
        b"checksum: SHA256=LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=\n"
    )
    assert manifest_hash(**FIELDS) == hashlib.sha256(lines).digest()


def test_without_a_checksum_its_line_is_empty():
    lines = b"siegel manifest v1\nversion-id: null\nsize: 5\netag: 5d41402abc4b2a76b9719d911017c592\nchecksum: \n"
    assert manifest_hash(**{**FIELDS, "checksum": ""}) == hashlib.sha256(lines).digest()


def test_every_field_counts():
    others = {"version_id": "x", "size_bytes": 6, "etag": "y", "checksum_algorithm": "CRC32", "checksum": "z"}
    hashes = {manifest_hash(**FIELDS), *(manifest_hash(**{**FIELDS, name: value}) for name, value in others.items())}
    assert len(hashes) == 6
