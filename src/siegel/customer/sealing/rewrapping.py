"""Another key of the key service for versions that are in a store: plain requests, page by page."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from siegel.customer.sealing.refusals import StoreError

_PAGE_VERSIONS: Final = 100
Marker = tuple[str, str]
"""Object key and version id of the last version of a page."""


def version_pages(client: Any, bucket: str, prefix: str, after: Marker) -> Iterator[tuple[list[Any], Marker | None]]:
    """Yield the versions behind `after`, page by page, each with the marker of the next. Raises StoreError."""
    marker: Marker | None = after
    while marker is not None:
        options = {"KeyMarker": marker[0], "VersionIdMarker": marker[1]} if marker[0] else {}
        with _told():
            page = client.list_object_versions(Bucket=bucket, Prefix=prefix, MaxKeys=_PAGE_VERSIONS, **options)
        marker = (page["NextKeyMarker"], page["NextVersionIdMarker"]) if page["IsTruncated"] else None
        yield page.get("Versions", []), marker


def update_version(client: Any, bucket: str, version: Any, wanted: Any) -> str:
    """Seal one version anew; return why not, if it was refused."""
    from botocore.exceptions import ClientError  # noqa: PLC0415  it takes its time

    try:
        with _told(but=ClientError):
            client.update_object_encryption(
                Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"], ObjectEncryption=wanted
            )
    except ClientError as error:
        told = error.response["Error"]
        return f"{version['Key']} ({version['VersionId']}): {told.get('Code')}: {told.get('Message')}"
    return ""


@contextmanager
def _told(but: type[Exception] | None = None) -> Iterator[None]:
    """Turn what the library raises, `but` one kind, into a StoreError."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  it takes its time

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        if but is not None and isinstance(error, but):
            raise
        raise StoreError(str(error)) from None
