"""A bucket driven by random stories, compared with the model after every step."""

from __future__ import annotations

from urllib.parse import unquote

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.gateway.raw import Answer, RawClient
from tests.gateway.service import Service
from tests.gateway.shelf import MIB, md5_b64, new_name, quoted_md5, seeded
from tests.gateway.signer import encode_key, encode_query

from .model import PART_MIN, Model, Row, Upload, Version

STORIES, STEPS = 100, 50

# Few keys, so that stories meet; all of them neighbours in some way.
KEYS = st.sampled_from(["a", "a/", "a/b", "a/b/c", "a+b", "a0", "b", "B", "ü/é", "\U0001f333", "z z/%2F", "x" * 1024])
ODD_KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=30)
ANY_KEY = KEYS | KEYS | KEYS | ODD_KEYS
SIZES = st.sampled_from([0, 1, 100, 16_384, 65_536, 65_537, 100_000])
BODIES = st.builds(seeded, SIZES, st.integers(0, 5))
META = st.sampled_from(["", "blue", "green, red"])
PREFIXES = st.sampled_from(["", "a", "a/", "a/b", "b", "ü", "nothing/"])
DELIMITERS = st.sampled_from(["", "/", "b", "/b", "é"])
# Bodies are drawn by name: Hypothesis writes down what it draws, and these are long.
PART_BODIES = {"full": seeded(PART_MIN, 99), "empty": b"", "small": b"end", "middle": seeded(70_000, 5)}


class BucketStory(RuleBasedStateMachine):
    """One bucket, one model, one raw client."""

    service: Service

    def __init__(self) -> None:
        super().__init__()
        self.raw: RawClient = self.service.raw()
        self.model = Model()
        self.bucket = new_name()

    def call(self, method: str, key: str | None = None, **options: object) -> Answer:
        answer = self.raw.call(method, self.bucket, key, **options)  # type: ignore[arg-type] # handed through
        assert answer.status < 500, answer
        return answer

    @initialize()
    def make_bucket(self) -> None:
        assert self.call("PUT").status == 200

    def new_id(self, answer: Answer) -> str:
        """The id that a write made: one of its own while versions are kept, else `null`."""
        seen = answer.header("x-amz-version-id")
        if self.model.versioning == "Enabled":
            assert seen
            assert seen != "null"
            assert all(row.version_id != seen for _, row in self.model.all_versions())
            return seen
        assert seen == ("null" if self.model.versioning else "")
        return "null"

    def any_version(self, data: st.DataObject) -> tuple[str, Version]:
        versions = self.model.all_versions()
        return versions[data.draw(st.integers(0, len(versions) - 1), label="version")]

    def any_upload(self, data: st.DataObject) -> str:
        """By its place in the order of their beginnings: ids are random, and a story must repeat."""
        return list(self.model.uploads)[data.draw(st.integers(0, len(self.model.uploads) - 1), label="upload")]

    @rule(status=st.sampled_from(["Enabled", "Suspended"]))
    def set_versioning(self, status: str) -> None:
        xml = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>".encode()
        assert self.call("PUT", query="versioning", body=xml).status == 200
        self.model.versioning = status

    @rule(key=ANY_KEY, body=BODIES, meta=META)
    def put(self, key: str, body: bytes, meta: str) -> None:
        answer = self.call("PUT", key, body=body, headers=[("x-amz-meta-m", meta)])
        assert (answer.status, answer.header("etag")) == (200, quoted_md5(body))
        self.model.add(key, self.new_id(answer), body, meta)

    @rule(key=KEYS, body=BODIES)
    def put_if_absent(self, key: str, body: bytes) -> None:
        answer = self.call("PUT", key, body=body, headers=[("If-None-Match", "*")])
        if self.model.current(key):
            assert answer.status == 412
        else:
            assert answer.status == 200
            self.model.add(key, self.new_id(answer), body)

    @rule(key=KEYS, body=BODIES, stale=st.booleans())
    def put_if_unchanged(self, *, key: str, body: bytes, stale: bool) -> None:
        current = self.model.current(key)
        etag = '"stale"' if stale or current is None else self.call("HEAD", key).header("etag")
        answer = self.call("PUT", key, body=body, headers=[("If-Match", etag)])
        if current is None:
            assert answer.status == 404
        elif stale:
            assert answer.status == 412
        else:
            assert answer.status == 200
            self.model.add(key, self.new_id(answer), body)

    @rule(key=ANY_KEY)
    def delete(self, key: str) -> None:
        answer = self.call("DELETE", key)
        assert answer.status == 204
        marker = ""
        if self.model.versioning:
            assert answer.header("x-amz-delete-marker") == "true"
            marker = self.new_id(answer)
        self.model.delete(key, marker)

    @rule(key=ANY_KEY, stale=st.booleans())
    def delete_if_match(self, *, key: str, stale: bool) -> None:
        current = self.model.current(key)
        etag = '"stale"' if stale else "*" if current is None else self.call("HEAD", key).header("etag")
        answer = self.call("DELETE", key, headers=[("If-Match", etag)])
        if current is None:
            # What is under a marker is no object either, but known.
            assert answer.status == (412 if key in self.model.keys else 404)
        elif stale:
            assert answer.status == 412
        else:
            assert answer.status == 204
            self.model.delete(key, self.new_id(answer) if self.model.versioning else "")

    @precondition(lambda self: self.model.keys)
    @rule(data=st.data())
    def delete_version(self, data: st.DataObject) -> None:
        key, row = self.any_version(data)
        answer = self.call("DELETE", key, query=f"versionId={row.version_id}")
        assert answer.status == 204
        assert (answer.header("x-amz-delete-marker") == "true") == (row.body is None)
        self.model.remove(key, row.version_id)

    @rule(keys=st.lists(KEYS, min_size=1, max_size=5, unique=True))
    def delete_many(self, keys: list[str]) -> None:
        rows = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
        xml = f"<Delete>{rows}</Delete>".encode()
        answer = self.call("POST", query="delete", body=xml, headers=[("Content-MD5", md5_b64(xml))])
        assert answer.status == 200
        found = {node.findtext("Key") or "": node for node in answer.xml.findall("Deleted")}
        assert set(found) == set(keys)
        for key in keys:
            self.model.delete(key, found[key].findtext("DeleteMarkerVersionId") or "")

    @precondition(lambda self: self.model.keys)
    @rule(data=st.data(), destination=KEYS, meta=META)
    def copy(self, data: st.DataObject, destination: str, meta: str) -> None:
        key, row = self.any_version(data)
        source = f"/{self.bucket}/{encode_key(key)}?versionId={row.version_id}"
        headers = [("x-amz-copy-source", source)]
        if meta:
            headers += [("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-m", meta)]
        answer = self.call("PUT", destination, headers=headers)
        onto_itself = key == destination and self.model.current(key) is row and not meta
        if row.body is None:
            assert answer.status in {400, 405}
        elif not (onto_itself and answer.status == 400):
            assert answer.status == 200, answer.body
            self.model.add(destination, self.new_id(answer), row.body, meta or row.meta)

    @rule(key=KEYS, meta=META)
    def start_upload(self, key: str, meta: str) -> None:

        answer = self.call("POST", key, query="uploads", headers=[("x-amz-meta-m", meta)])
        self.model.uploads[answer.xml.findtext("UploadId") or ""] = Upload(key, meta)

    @precondition(lambda self: self.model.uploads)
    @rule(data=st.data(), number=st.sampled_from([1, 2, 10_000]), name=st.sampled_from(sorted(PART_BODIES)))
    def put_part(self, data: st.DataObject, number: int, name: str) -> None:
        body = PART_BODIES[name]
        upload_id = self.any_upload(data)
        upload = self.model.uploads[upload_id]
        answer = self.call("PUT", upload.key, query=f"partNumber={number}&uploadId={upload_id}", body=body)
        assert (answer.status, answer.header("etag")) == (200, quoted_md5(body))
        upload.parts[number] = body

    @precondition(lambda self: self.model.uploads)
    @rule(data=st.data())
    def complete_upload(self, data: st.DataObject) -> None:
        upload_id = self.any_upload(data)
        upload = self.model.uploads[upload_id]
        numbers = sorted(data.draw(st.sets(st.sampled_from(sorted(upload.parts) or [7])), label="parts"))
        rows = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{quoted_md5(upload.parts.get(number, b''))}</ETag></Part>"
            for number in numbers
        )
        xml = f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()
        answer = self.call("POST", upload.key, query=f"uploadId={upload_id}", body=xml)
        bodies = [upload.parts.get(number) for number in numbers]
        if not numbers or None in bodies or any(len(body or b"") < PART_MIN for body in bodies[:-1]):
            assert answer.status == 400, answer.body
            return
        assert answer.status == 200, answer.body
        del self.model.uploads[upload_id]
        self.model.add(upload.key, self.new_id(answer), b"".join(body or b"" for body in bodies), upload.meta)

    @precondition(lambda self: self.model.uploads)
    @rule(data=st.data())
    def abort_upload(self, data: st.DataObject) -> None:
        upload_id = self.any_upload(data)
        assert self.call("DELETE", self.model.uploads.pop(upload_id).key, query=f"uploadId={upload_id}").status == 204

    @rule(key=ANY_KEY)
    def get(self, key: str) -> None:
        answer, current = self.call("GET", key), self.model.current(key)
        if current is None:
            assert (answer.status, answer.code) == (404, "NoSuchKey")
            assert (answer.header("x-amz-delete-marker") == "true") == (key in self.model.keys)
        else:
            assert (answer.status, answer.body, answer.meta.get("m", "")) == (200, current.body, current.meta)

    @precondition(lambda self: self.model.keys)
    @rule(data=st.data())
    def get_version(self, data: st.DataObject) -> None:
        key, row = self.any_version(data)
        answer = self.call("GET", key, query=f"versionId={row.version_id}")
        if row.body is None:
            assert (answer.status, answer.code) == (405, "MethodNotAllowed")
        else:
            assert (answer.status, answer.body) == (200, row.body)
            assert answer.header("x-amz-version-id") in {row.version_id, ""}

    @precondition(lambda self: self.model.keys)
    @rule(data=st.data(), start=st.integers(0, 110_000), length=st.integers(1, 50_000))
    def get_range(self, data: st.DataObject, start: int, length: int) -> None:
        key = data.draw(st.sampled_from(self.model.in_order()), label="key")
        answer = self.call("GET", key, headers=[("Range", f"bytes={start}-{start + length - 1}")])
        current = self.model.current(key)
        if current is None:
            assert answer.status == 404
        elif start >= len(current.body or b""):
            assert answer.status == 416
        else:
            assert (answer.status, answer.body) == (206, (current.body or b"")[start : start + length])

    @rule(
        prefix=PREFIXES,
        delimiter=DELIMITERS,
        size=st.sampled_from([1, 2, 3, 1000]),
        after=st.just("") | KEYS,
        is_v2=st.booleans(),
    )
    def list_objects(self, *, prefix: str, delimiter: str, size: int, after: str, is_v2: bool) -> None:
        options = {"prefix": prefix, "max-keys": str(size), "encoding-type": "url"} | (
            {"delimiter": delimiter} if delimiter else {}
        )
        options |= {"list-type": "2"} if is_v2 else {}
        mark = {"start-after" if is_v2 else "marker": after} if after else {}
        found: list[str] = []
        while True:
            xml = self.call("GET", query=encode_query({**options, **mark}.items())).xml
            keys = [unquote(node.text or "") for node in xml.findall("Contents/Key")]
            page = keys + ["\0" + unquote(node.text or "") for node in xml.findall("CommonPrefixes/Prefix")]
            page.sort(key=lambda entry: entry.lstrip("\0").encode())
            assert len(page) <= size
            found += page
            if xml.findtext("IsTruncated") == "false":
                break
            assert len(page) == size
            if is_v2:
                mark = {"continuation-token": xml.findtext("NextContinuationToken") or ""}
            else:
                mark = {"marker": unquote(xml.findtext("NextMarker") or "") or page[-1]}
        assert found == self.model.listing(prefix, delimiter, after)

    @rule(prefix=PREFIXES, size=st.sampled_from([1, 2, 5, 1000]))
    def list_versions(self, prefix: str, size: int) -> None:
        found: list[Row] = []
        mark: dict[str, str] = {}
        while True:
            options = {"prefix": prefix, "max-keys": str(size), "encoding-type": "url", **mark}
            xml = self.call("GET", query="versions&" + encode_query(options.items())).xml
            for node in xml:
                if node.tag in {"Version", "DeleteMarker"}:
                    key, version_id = unquote(node.findtext("Key") or ""), node.findtext("VersionId") or ""
                    is_latest, is_marker = node.findtext("IsLatest") == "true", node.tag == "DeleteMarker"
                    found.append(Row(key, version_id, is_latest, is_marker, int(node.findtext("Size") or 0)))
            if xml.findtext("IsTruncated") == "false":
                break
            mark = {
                "key-marker": unquote(xml.findtext("NextKeyMarker") or ""),
                "version-id-marker": xml.findtext("NextVersionIdMarker") or "",
            }
        assert found == self.model.version_rows(prefix)

    @rule()
    def list_uploads(self) -> None:
        xml = self.call("GET", query="uploads&encoding-type=url").xml
        found = [(unquote(node.findtext("Key") or ""), node.findtext("UploadId") or "") for node in xml.findall("Upload")]
        assert sorted(found) == sorted((upload.key, upload_id) for upload_id, upload in self.model.uploads.items())
        assert [key.encode() for key, _ in found] == sorted(key.encode() for key, _ in found)

    @rule()
    def delete_bucket_that_is_in_use(self) -> None:
        if self.model.keys:
            assert self.call("DELETE").status == 409

    def teardown(self) -> None:
        """At the end every version is read back and compared."""
        for key, row in self.model.all_versions():
            answer = self.call("GET", key, query=f"versionId={row.version_id}")
            assert answer.body == row.body if row.body is not None else answer.status == 405
        self.list_versions("", 1000)
        self.list_uploads()


def test_random_stories_agree_with_the_model(service: Service) -> None:
    BucketStory.service = service
    run_state_machine_as_test(
        BucketStory,
        settings=settings(
            max_examples=STORIES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        ),
    )


def test_the_model_itself_keeps_the_rules() -> None:
    model = Model()
    model.add("k", "null", b"1")
    model.delete("k", "")
    assert model.keys == {}
    model.versioning = "Enabled"
    model.add("k", "v1", b"1")
    model.delete("k", "m1")
    assert model.current("k") is None
    assert [row.is_marker for row in model.version_rows("")] == [True, False]
    model.remove("k", "m1")
    assert model.listing("", "/", "") == ["k"]
    assert MIB == 1 << 20
