"""A workbench for one client on one route: its home with its settings, its commands, and a judge who looks at the store."""

import hashlib
import os
import re
import shlex
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from bucket_names import bucket_name
from client_settings import HERE, ClientSettings, Route, Scheme, Style
from file_tree import FileTree
from store_process import Store

INSTALLED = HERE.parent.parent / ".clients"
COMMAND_S = 180
JUDGE_THREADS = 4
_PLACE = re.compile(r"@([a-z_]+)@")


@dataclass(frozen=True)
class Bench:
    """Everything that a test needs to let one client work."""

    settings: ClientSettings
    route: Route
    store: Store
    """The store as the client is told to reach it."""
    tree: FileTree
    home: Path
    behind: Store
    """The store as the judge reaches it."""
    beside: dict[str, str] = field(default_factory=dict)
    """What fills more places of the settings: whatever runs beside the store for this client."""
    trace: Path | None = None
    """The folder with what the client sent, where that is kept."""

    @property
    def bucket(self) -> str:
        """Return the client's bucket on this route."""
        return bucket_name(self.settings, self.route)

    @cached_property
    def values(self) -> dict[str, str]:
        """Return what fills the places of the settings."""
        return {
            "endpoint": self.store.endpoint(self.route.style),
            "host": self.store.host(self.route.style),
            "region": self.store.region,
            "access_key_id": self.store.access_key_id,
            "secret_access_key": self.store.secret_access_key,
            "ca_file": str(self.store.ca_file),
            "bucket": self.bucket,
            "scheme": self.route.scheme.value,
            "password": "correct horse battery staple",
            **self.beside,
        }

    @cached_property
    def environment(self) -> dict[str, str]:
        """Return the whole environment of the client: nothing of the machine's own settings shines through."""
        programs = [str(INSTALLED / self.settings.home / "bin"), "/usr/local/bin", "/usr/bin", "/bin", os.defpath]
        return {
            "PATH": os.pathsep.join(programs),
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join((str(self.home), str(HERE / "programs"))),
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.settings.environment(self.route, self.values),
        }

    def write_settings(self) -> None:
        """Put the client's files below its home folder."""
        for file in self.settings.files:
            target = self.home / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(self.settings.fill(file.text, self.route, self.values), encoding="utf-8")
            target.chmod(0o600)

    def do(self, command: str, **more: object) -> str:
        """Run one of the commands on the client's page and return what it printed; `more` fills its other places."""
        known = {**self.values, **{name: str(value) for name, value in more.items()}}
        known |= self.settings.values.get(self.route.style, {}) | self.settings.values.get(self.route.scheme, {})
        words = shlex.split(self.settings.fill(self.settings.commands[command], self.route, _kept(known)))
        return self.run(*(_PLACE.sub(lambda place: known[place[1]], word) for word in words))

    def run(self, *words: str | Path, status: int = 0, text_in: str = "", **env: str) -> str:
        """Run a program in the client's home and environment; it must end with `status`. Returns its standard output."""
        ended = subprocess.run(
            [str(word) for word in words],
            cwd=self.home,
            env=self.environment | env,
            input=text_in,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        told = f"{shlex.join(str(word) for word in words)}\n{ended.stdout}\n{ended.stderr}"
        assert ended.returncode == status, f"ended with {ended.returncode}, not {status}: {told}"
        return ended.stdout

    def tell(self, program: str, *arguments: str | Path) -> str:
        """Run a story of `programs/` in the client's own environment."""
        if program.endswith(".mjs"):
            modules = self.home / "node_modules"
            if not modules.exists():
                modules.symlink_to(INSTALLED / "npm" / "node_modules")
            shutil.copyfile(HERE / "programs" / program, self.home / program)
            return self.run("node", self.home / program, self.bucket, self.tree.root, *arguments)
        python = INSTALLED / self.settings.home / "bin" / "python"
        return self.run(
            python, "-W", "error::SyntaxWarning", HERE / "programs" / program, self.bucket, self.tree.root, *arguments
        )

    def fetch(self, url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """Ask for a presigned URL as a browser would, without any credentials. Returns status and body."""
        request = urllib.request.Request(url, data=body, method=method, headers=headers)
        trust = ssl.create_default_context(cafile=str(self.store.ca_file))
        try:
            with urllib.request.urlopen(request, context=trust, timeout=COMMAND_S) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    @cached_property
    def judge(self) -> Any:
        """Return a client of another make, over the plainest route: it looks at what is really in the store."""
        return boto3.client(
            "s3",
            endpoint_url=self.behind.endpoint(Style.PATH),
            region_name=self.store.region,
            aws_access_key_id=self.store.access_key_id,
            aws_secret_access_key=self.store.secret_access_key,
            verify=str(self.store.ca_file) if self.store.scheme is Scheme.TLS else None,
            config=Config(s3={"addressing_style": "path"}, max_pool_connections=JUDGE_THREADS),
        )

    def make_bucket(self) -> None:
        """Let the judge make the bucket, for clients that make none."""
        self.judge.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": self.store.region})

    def stored_keys(self, prefix: str = "") -> list[str]:
        """Return the keys that the store holds in the bucket, in its order."""
        pages = self.judge.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def stored_digests(self, prefix: str = "") -> dict[str, str]:
        """Return the SHA-256 of every object below `prefix`, by its key below it, as the judge reads them."""
        keys = [key for key in self.stored_keys(prefix) if not key.endswith("/")]
        with ThreadPoolExecutor(JUDGE_THREADS) as pool:
            return dict(zip((key.removeprefix(prefix) for key in keys), pool.map(self._stored_digest, keys), strict=True))

    def _stored_digest(self, key: str) -> str:
        answer = self.judge.get_object(Bucket=self.bucket, Key=key)
        assert "aws-chunked" not in answer.get("ContentEncoding", ""), f"{key} kept the wire's own content encoding"
        assert answer["ServerSideEncryption"] == "AES256", f"{key} does not say that it is sealed"
        digest = hashlib.sha256()
        size_bytes = 0
        for block in answer["Body"].iter_chunks(1 << 20):
            digest.update(block)
            size_bytes += len(block)
        assert size_bytes == answer["ContentLength"]
        return digest.hexdigest()

    def empty_bucket(self) -> None:
        """Let the judge delete whatever a client has left, versions and unfinished uploads too, and the bucket."""
        for upload in self.judge.list_multipart_uploads(Bucket=self.bucket).get("Uploads", []):
            self.judge.abort_multipart_upload(Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        for keys in self._stored_versions():
            self.judge.delete_objects(Bucket=self.bucket, Delete={"Objects": keys, "Quiet": True})
        self.judge.delete_bucket(Bucket=self.bucket)

    def _stored_versions(self) -> Iterator[list[dict[str, str]]]:
        for page in self.judge.get_paginator("list_object_versions").paginate(Bucket=self.bucket):
            entries = page.get("Versions", []) + page.get("DeleteMarkers", [])
            if entries:
                yield [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]


def _kept(known: dict[str, str]) -> dict[str, str]:
    """Keep the places as they are while the command is cut into words, so that values may hold any character."""
    return {name: f"@{name}@" for name in known}
