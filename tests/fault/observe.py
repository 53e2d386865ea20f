"""Reading everything that a server shows."""

from bench.client import ConnectionLostError

from tests.fault.load import PLAIN, VERSIONED
from tests.fault.model import Content, Model, Observation, Version
from tests.fault.s3 import S3


def observe(s3: S3, model: Model) -> Observation:
    """Read every object, version and list, and the parts of the model's uploads."""
    seen = Observation(listed=s3.list_objects(PLAIN))
    for name in sorted({name for name, _ in seen.listed} | set(model.plain)):
        content = _read(s3, f"/{PLAIN}/{name}", {})
        if content is not None:
            seen.plain[name] = content
    for name, version_id, is_marker, is_latest in s3.list_versions(VERSIONED):
        content = None
        if not is_marker:
            content = _read(s3, f"/{VERSIONED}/{name}", {"versionId": version_id}) or Content.unreadable("404")
        seen.versions.append((name, Version(version_id, content), is_latest))
    for upload in model.uploads.values():
        seen.parts[upload.upload_id] = s3.list_parts(upload.key, upload.upload_id)
    return seen


def _read(s3: S3, path: str, query: dict[str, str]) -> Content | None:
    try:
        answer = s3.call("GET", path, query=query)
    except ConnectionLostError as error:
        return Content.unreadable(f"connection lost: {error}")
    if answer.status == 404:
        return None
    if answer.status != 200:
        return Content.unreadable(f"{answer.status} {answer.body[:200]!r}")
    return Content.of(answer.body)
