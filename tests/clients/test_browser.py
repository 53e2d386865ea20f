"""Pages in a real browser upload to the store and read from it, where its rules let their origin in, and nowhere else."""

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from browser import Site, running_site
from client_settings import Style
from store_process import Store

SMALL, LARGE = 1000, 3 * 1024 * 1024 + 11
TYPE = "application/x-from-a-page"
NAME = "käse %221%22.bin"  # as browsers write quotes in the name of a file


def content(size: int) -> bytes:
    """Return what the page makes, too."""
    return bytes((at * 31 + (at >> 8)) & 255 for at in range(size))


def md5(size: int) -> str:
    return f'"{hashlib.md5(content(size), usedforsecurity=False).hexdigest()}"'


def client(store: Store, style: Style) -> Any:
    """Return the owner's client."""
    return boto3.client(
        "s3",
        endpoint_url=store.endpoint(style),
        region_name=store.region,
        aws_access_key_id=store.access_key_id,
        aws_secret_access_key=store.secret_access_key,
        config=Config(signature_version="s3v4", s3={"addressing_style": style.value}),
    )


@dataclass(frozen=True)
class Corner:
    """A bucket that lets one site in. `signer` makes the URLs of the style under test, `s3` is how the owner reaches it."""

    signer: Any
    s3: Any
    bucket: str

    def url(self, operation: str, key: str, **options: str) -> str:
        """Return a presigned URL."""
        return str(self.signer.generate_presigned_url(operation, Params={"Bucket": self.bucket, "Key": key, **options}))

    def form(self, key: str, **fields: str) -> dict[str, Any]:
        """Return a signed form."""
        conditions = [{name: value} for name, value in fields.items()]
        made = self.signer.generate_presigned_post(self.bucket, key, Fields=fields, Conditions=conditions)
        return {"url": made["url"], "fields": made["fields"]}

    def read(self, key: str) -> tuple[bytes, str]:
        """Return an object's bytes and type."""
        found = self.s3.get_object(Bucket=self.bucket, Key=key)
        return found["Body"].read(), found["ContentType"]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Serve the page."""
    with running_site() as served:
        yield served


@pytest.fixture(params=[Style.PATH, Style.VIRTUAL], ids=str)
def corner(request: pytest.FixtureRequest, plain_store: Store, site: Site) -> Corner:
    """Make a bucket that lets the site in, and nobody else."""
    owner = client(plain_store, Style.PATH)
    bucket = f"pages-{secrets.token_hex(6)}"
    owner.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": plain_store.region})
    rule = {
        "AllowedOrigins": [site.origin],
        "AllowedMethods": ["GET", "PUT", "POST"],
        "AllowedHeaders": ["content-type"],
        "ExposeHeaders": ["ETag"],
    }
    owner.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    return Corner(client(plain_store, request.param), owner, bucket)


def test_a_page_that_is_let_in_uploads_and_reads(corner: Corner, site: Site) -> None:
    fields = {"success_action_status": "201", "Content-Type": TYPE}
    told = site.visit(
        {
            "form": {**corner.form("form/${filename}", **fields), "size": LARGE},
            "put": {"url": corner.url("put_object", "put", ContentType=TYPE), "type": TYPE, "size": SMALL},
            "get": {"url": corner.url("get_object", "put")},
            "refused": {"url": corner.url("get_object", "missing")},
            "submit": {**corner.form("sent/${filename}", success_action_redirect=f"{site.origin}/done"), "size": SMALL},
        }
    )
    assert told["form"]["status"] == 201
    assert told["form"]["etag"] == md5(LARGE)
    assert f"<Key>form/{NAME}</Key>" in told["form"]["text"]
    assert told["put"] == {"status": 200, "etag": md5(SMALL)}
    assert told["get"] == {"status": 200, "sha256": hashlib.sha256(content(SMALL)).hexdigest()}
    assert told["refused"]["status"] == 404
    arrived = urlsplit(told["submit"]["arrived"])
    assert (f"{arrived.scheme}://{arrived.netloc}", arrived.path) == (site.origin, "/done")
    assert parse_qs(arrived.query) == {"bucket": [corner.bucket], "key": ["sent/chosen.bin"], "etag": [md5(SMALL)]}
    assert corner.read(f"form/{NAME}") == (content(LARGE), TYPE)
    assert corner.read("put") == (content(SMALL), TYPE)
    assert corner.read("sent/chosen.bin") == (content(SMALL), "binary/octet-stream")


def test_a_page_of_another_origin_is_kept_out(corner: Corner) -> None:
    url = corner.url("put_object", "foreign", ContentType=TYPE)
    with running_site() as foreign:
        told = foreign.visit(
            {
                "put": {"url": url, "type": TYPE, "size": SMALL},
                "get": {"url": corner.url("get_object", "missing")},
                "form": {**corner.form("form"), "size": SMALL},
            }
        )
    # The browser refused each of them; a form it does send, for that needs no leave, but its answer stays hidden.
    assert told == {"put": {"error": "TypeError"}, "get": {"error": "TypeError"}, "form": {"error": "TypeError"}}
    with pytest.raises(ClientError):
        corner.read("foreign")
