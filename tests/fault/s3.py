"""A small S3 client that tells an answer from silence: every call returns its status, or raises ConnectionLostError."""

import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from bench.client import Answer, Client, ConnectionLostError
from bench.service import Running
from bench.signing import Signer


class RefusedError(Exception):
    """The server answered with an error."""

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        found = re.search(rb"<Code>([^<]*)</Code>", answer.body)
        self.code = found.group(1).decode() if found else ""
        super().__init__(f"{answer.status} {self.code} {answer.body[:300]!r}")


@dataclass
class Part:
    """A part as its upload was answered."""

    number: int
    etag: str


class S3:
    """One connection to one server; opened again when it was lost."""

    def __init__(self, server: Running, signer: Signer, timeout_s: float = 20.0) -> None:
        self._server = server
        self._signer = signer
        self._timeout_s = timeout_s
        self._client: Client | None = None

    def close(self) -> None:
        if self._client:
            self._client.close()
            self._client = None

    def call(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one signed request and return its answer, whatever its status. Raises ConnectionLostError."""
        text = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted((query or {}).items()))
        head = self._signer.head(
            method,
            path,
            query=text,
            payload_sha256=hashlib.sha256(body).hexdigest(),
            headers=headers,
            content_length=len(body) if method in {"PUT", "POST"} else None,
        )
        try:
            if self._client is None:
                self._client = Client(self._server.connect(self._timeout_s))
            answer = self._client.call(head, body)
        except OSError as error:
            self.close()
            raise ConnectionLostError(str(error)) from error
        except ConnectionLostError:
            self.close()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            self.close()
        return answer

    def must(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Like `call`, but raises RefusedError for anything that is not a success."""
        answer = self.call(method, path, body, query=query, headers=headers)
        if answer.status >= 300:
            raise RefusedError(answer)
        return answer

    def make_bucket(self, name: str, *, versioned: bool = False) -> None:
        answer = self.call("PUT", f"/{name}")
        if answer.status not in {200, 409}:
            raise RefusedError(answer)
        if versioned:
            body = b'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>'
            self.must("PUT", f"/{name}", body, query={"versioning": ""})

    def create_upload(self, path: str) -> str:
        return text_of(ET.fromstring(self.must("POST", path, query={"uploads": ""}).body), "UploadId")

    def upload_part(self, path: str, upload_id: str, number: int, body: bytes) -> Part:
        answer = self.must("PUT", path, body, query={"partNumber": str(number), "uploadId": upload_id})
        return Part(number, answer.headers["etag"])

    def complete_upload(self, path: str, upload_id: str, parts: Iterable[Part]) -> Answer:
        """Complete an upload. A 200 with an error in its body is raised as RefusedError."""
        listed = "".join(f"<Part><PartNumber>{part.number}</PartNumber><ETag>{part.etag}</ETag></Part>" for part in parts)
        body = f'<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{listed}</CompleteMultipartUpload>'
        answer = self.must("POST", path, body.encode(), query={"uploadId": upload_id})
        if b"<Error>" in answer.body:
            raise RefusedError(answer)
        return answer

    def list_parts(self, path: str, upload_id: str) -> dict[int, int] | None:
        """Return the size of each part, or None if there is no such upload."""
        answer = self.call("GET", path, query={"uploadId": upload_id})
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise RefusedError(answer)
        return {
            int(text_of(part, "PartNumber")): int(text_of(part, "Size"))
            for part in children_of(ET.fromstring(answer.body), "Part")
        }

    def list_objects(self, bucket: str) -> list[tuple[str, int]]:
        """Return (key, size) of every current object, in the order of the list."""
        found, query = [], {"list-type": "2"}
        while True:
            page = ET.fromstring(self.must("GET", f"/{bucket}", query=query).body)
            found += [(text_of(entry, "Key"), int(text_of(entry, "Size"))) for entry in children_of(page, "Contents")]
            if text_of(page, "IsTruncated") != "true":
                return found
            query["continuation-token"] = text_of(page, "NextContinuationToken")

    def list_versions(self, bucket: str) -> list[tuple[str, str, bool, bool]]:
        """Return (key, version id, is a marker, is the latest) in the order of the list."""
        found, query = [], {"versions": ""}
        while True:
            page = ET.fromstring(self.must("GET", f"/{bucket}", query=query).body)
            for entry in page:
                name = entry.tag.rpartition("}")[2]
                if name in {"Version", "DeleteMarker"}:
                    latest = text_of(entry, "IsLatest") == "true"
                    found.append((text_of(entry, "Key"), text_of(entry, "VersionId"), name == "DeleteMarker", latest))
            if text_of(page, "IsTruncated") != "true":
                return found
            query["key-marker"] = text_of(page, "NextKeyMarker")
            query["version-id-marker"] = text_of(page, "NextVersionIdMarker")


def children_of(parent: ET.Element, name: str) -> list[ET.Element]:
    return [child for child in parent if child.tag.rpartition("}")[2] == name]


def text_of(parent: ET.Element, name: str) -> str:
    found = children_of(parent, name)
    return (found[0].text or "") if found else ""
