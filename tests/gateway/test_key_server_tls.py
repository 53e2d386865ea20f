"""Key servers behind TLS: whom the store believes, and who it is to them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from .certificates import make_certificates
from .conftest import NEAR
from .key_servers import connected, external_key, patient, premises
from .service import running
from .shelf import fails, new_name


def test_a_key_server_is_believed_by_its_authority_and_sees_a_certificate(tmp_path: Path) -> None:
    for name in ("theirs", "ours", "box"):
        (tmp_path / name).mkdir()
    authority, certificate, key = make_certificates(tmp_path / "theirs")
    other_authority, own_certificate, own_key = make_certificates(tmp_path / "ours")
    shown = tmp_path / "shown.pem"
    shown.write_text(own_certificate.read_text() + own_key.read_text())
    flags = ("--tls-cert", certificate, "--tls-key", key, "--client-ca", other_authority, "--client-name", "localhost")
    with premises(tmp_path / "box", *flags) as place:
        believed = place.options | {"TrustAnchorCertificate": authority.read_text()}
        known = {**NEAR, "SIEGEL_KEY_SERVER_CERT": str(shown)}
        with (
            running(tmp_path / "known", env=known) as service,
            closing(patient(service, "kms")) as kms,
            closing(patient(service, "s3")) as s3,
        ):
            for doubtful in (place.options, place.options | {"TrustAnchorCertificate": other_authority.read_text()}):
                with fails(400, "XksProxyUriUnreachableException"):
                    kms.create_custom_key_store(**doubtful)
            store = connected(kms, believed)
            check_objects(kms, s3, str(external_key(kms, store, place.new_key())["Arn"]))
        with (
            running(tmp_path / "unknown", env=NEAR) as service,
            closing(patient(service, "kms")) as kms,
            fails(400, "XksProxyUriUnreachableException"),
        ):
            kms.create_custom_key_store(**believed)


def check_objects(kms: Any, s3: Any, key: str) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    bucket = new_name()
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    with s3.get_object(Bucket=bucket, Key="k")["Body"] as stream:
        assert stream.read() == b"x"
