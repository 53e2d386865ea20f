"""Tags as values: what may be a tag, and how many there may be."""

from collections.abc import Iterable
from typing import Final

from siegel.domain.identities import Pairs
from siegel.domain.limits import IDENTITY_TAGS_MAX
from siegel.domain.query_errors import InvalidInputError, LimitExceededError
from siegel.iamwire.ask import Tag

_RESERVED: Final = "aws:"


def merge_tags(old: Pairs, new: Iterable[Tag]) -> Pairs:
    """Return tags with others put over them. Keys that differ in case only are one key.

    Raises InvalidInputError for a key twice or a reserved one, LimitExceededError beyond IDENTITY_TAGS_MAX.
    """
    merged = {key.lower(): (key, value) for key, value in old}
    seen: set[str] = set()
    for tag in new:
        folded = tag.key.lower()
        if folded in seen:
            raise InvalidInputError("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
        if folded.startswith(_RESERVED):
            raise InvalidInputError("Tag keys that begin with aws: are reserved.")
        seen.add(folded)
        merged[folded] = (tag.key, tag.value)
    if len(merged) > IDENTITY_TAGS_MAX:
        raise LimitExceededError(f"The number of tags has reached the maximum limit: {IDENTITY_TAGS_MAX}")
    return tuple(sorted(merged.values()))
