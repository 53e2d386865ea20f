"""The story of `docs/tutorial/your-own-key-server.md`, as it is told there: two machines, a key that one of them never has.

The customer's machine and the provider's are two directories, each with a process of its own.
"""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tests.keybox.box import Box, Serving, keybox

from .conftest import NEAR
from .key_servers import connected, external_key, patient
from .service import Service, make_deployment, serving
from .shelf import MIB, new_name, seeded

BOUND_S = 2
"""What the bucket's tag says."""
FILMS = {"2026/film-1.mp4": seeded(200), "2026/film-2.mp4": seeded(3 * MIB)}
MINUTES = {"minutes.txt": b"open to all", "plan.bin": seeded(2 * MIB)}


def refusal_of(s3: Any, bucket: str, key: str) -> str:
    """Return why an object cannot be read, "" if it can."""
    try:
        s3.get_object(Bucket=bucket, Key=key)["Body"].close()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def read(s3: Any, bucket: str, key: str) -> bytes:
    with s3.get_object(Bucket=bucket, Key=key)["Body"] as stream:
        return bytes(stream.read())


def upload(service: Service, key: str, buckets: tuple[str, str]) -> None:
    films, minutes = buckets
    with closing(patient(service, "s3")) as s3:
        for bucket in buckets:
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
        s3.put_bucket_encryption(Bucket=films, ServerSideEncryptionConfiguration={"Rules": [rule]})
        s3.put_bucket_tagging(Bucket=films, Tagging={"TagSet": [{"Key": "siegel:data-key-seconds", "Value": str(BOUND_S)}]})
        for bucket, objects in ((films, FILMS), (minutes, MINUTES)):
            for name, body in objects.items():
                s3.put_object(Bucket=bucket, Key=name, Body=body)
                assert read(s3, bucket, name) == body


def reads_of(service: Service, bucket: str, change: Any) -> tuple[float, list[tuple[float, str]]]:
    """Read under load, with everything that is kept warm, while `change` happens; return when that was, and what came."""
    seen: list[tuple[float, str]] = []
    until = time.monotonic() + 60.0

    def load() -> None:
        with closing(patient(service, "s3")) as s3:
            while time.monotonic() < until:
                began = time.monotonic()
                seen.append((began, refusal_of(s3, bucket, "2026/film-1.mp4")))
                time.sleep(0.02)

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(load) for _ in range(4)]
        time.sleep(1)
        change()
        changed_at = time.monotonic()
        time.sleep(BOUND_S + 1)
        until = 0.0
        for one in running:
            one.result()
    return changed_at, seen


def check_bound(changed_at: float, seen: list[tuple[float, str]]) -> None:
    assert "" in {told for at, told in seen if at < changed_at}
    after = [told for at, told in seen if at > changed_at + BOUND_S]
    assert len(after) > 3
    assert set(after) <= {"KMS.KMSInvalidStateException", "KMS.DependencyTimeoutException"}


def test_t80_t81_a_key_that_the_provider_never_had_takes_everything_back(tmp_path: Path) -> None:
    customer, provider, restored = tmp_path / "customer", tmp_path / "provider", tmp_path / "restored"
    customer.mkdir()
    box = Box(customer / "box")
    external = box.create_key("evidence")
    people = make_deployment(provider)
    buckets = films, minutes = new_name(), new_name()
    with Serving(box) as key_server:
        with serving(provider, people, "--workers", "2", env=NEAR) as service, closing(patient(service, "kms")) as kms:
            options = {
                "CustomKeyStoreName": "premises",
                "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
                "XksProxyConnectivity": "PUBLIC_ENDPOINT",
                "XksProxyUriEndpoint": key_server.url.geturl(),
                **box.made["xks"],
            }
            upload(service, external_key(kms, connected(kms, options), external)["Arn"], buckets)
        # Yesterday's copy: all that the provider has, its root key too.
        shutil.copytree(provider, restored, ignore=shutil.ignore_patterns("*.lock"))
        assert (restored / "root.key").exists()
        with serving(provider, people, "--workers", "2", env=NEAR) as service, closing(patient(service, "s3")) as s3:
            check_bound(*reads_of(service, films, lambda: box.command("disable", external)))
            for name in FILMS:
                assert refusal_of(s3, films, name) == "KMS.KMSInvalidStateException"
            box.command("enable", external)
            assert read(s3, films, "2026/film-2.mp4") == FILMS["2026/film-2.mp4"]
            check_bound(*reads_of(service, films, lambda: box.command("destroy", external, "--yes")))
            for name in FILMS:
                assert refusal_of(s3, films, name) == "KMS.KMSInvalidStateException"
            for name, body in MINUTES.items():
                assert read(s3, minutes, name) == body
        certificate = customer / "certificate.json"
        certificate.write_text(box.command("certificate", external))
        checked = keybox("verify-certificate", certificate, "--public-key", box.public_key)
        assert json.loads(checked.stdout)["key_id"] == external
        with serving(restored, people, "--workers", "2", env=NEAR) as service, closing(patient(service, "s3")) as s3:
            assert {found["Key"] for found in s3.list_objects_v2(Bucket=films)["Contents"]} == set(FILMS)
            for name in FILMS:
                assert refusal_of(s3, films, name) == "KMS.KMSInvalidStateException"
            for name, body in MINUTES.items():
                assert read(s3, minutes, name) == body
    # Every use is in the customer's log, with the object and the person, and none behind the destruction opened anything.
    lines = [line for line in box.log() if line["operation"] == "xks.decrypt"]
    assert {line["context"]["bucket"] for line in lines} == {films}
    gone = next(number for number, line in enumerate(box.log()) if line["operation"].endswith("destroy"))
    assert all(line["result"] != "ok" for line in box.log()[gone + 1 :] if line["operation"] == "xks.decrypt")
