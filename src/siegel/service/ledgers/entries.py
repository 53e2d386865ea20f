"""From a journal's entry to what goes into a log: the entry that is hashed, and its opening."""

from string import hexdigits
from typing import Final

from siegel.domain.entry import Entry
from siegel.ledger.leaves import Facts, Leaf, Opening, commit_content, commit_name, commit_person, encode_leaf, encode_opening

_HEX: Final = frozenset(hexdigits)
_REQUEST_DIGITS: Final = 16
_OF_KEYS: Final = "kms."


def make_leaf(entry: Entry, recorded_at_ms: int, salts: bytes) -> tuple[bytes, bytes]:
    """Return an entry as it is hashed, and its opening. `salts` are random, as many as `Opening.salts` has, fresh for each."""
    opening = Opening(salts, entry.principal, entry.source, entry.permit, entry.bucket, entry.object_key)
    facts = Facts(
        entry.at_ms,
        entry.kind,
        entry.status,
        commit_person(opening),
        commit_name(opening),
        entry.bucket_id,
        entry.version_id,
        entry.byte_range,
        entry.reason,
        commit_content(opening, entry.manifest),
        entry.key_ids or _asked_key(entry),
        entry.consent_id,
        entry.key_call_id,
    )
    return encode_leaf(Leaf(recorded_at_ms, _request_id(entry.request_id), facts)), encode_opening(opening)


def _asked_key(entry: Entry) -> tuple[str, ...]:
    """Return the key that a call of the key service was about, which its entry names by its ARN."""
    named = entry.object_key.partition(":key/")[2] if entry.kind.startswith(_OF_KEYS) else ""
    return (named,) if named else ()


def _request_id(text: str) -> str:
    """Return a request's id; empty for what is none, so that no entry can ever keep those behind it out of the ledger."""
    return text if len(text) == _REQUEST_DIGITS and _HEX.issuperset(text) else ""
