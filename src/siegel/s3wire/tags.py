"""Tags: what they may be, and as the `x-amz-tagging` header carries them.

Source: Amazon S3 User Guide, "Categorizing your objects using tags".
"""

from typing import Final
from unicodedata import category

from msgspec import Struct

from siegel.domain.errors import InvalidArgumentError, InvalidTagError, InvalidURIError
from siegel.domain.limits import BUCKET_TAGS_MAX, OBJECT_TAGS_MAX, TAG_KEY_CHARS_MAX, TAG_VALUE_CHARS_MAX
from siegel.s3wire.uri import decode_form


class TagRules(Struct, frozen=True):
    """How many tags something may have, and what it is called."""

    noun: str
    tags_max: int


OF_OBJECTS: Final = TagRules("Object", OBJECT_TAGS_MAX)
OF_BUCKETS: Final = TagRules("Bucket", BUCKET_TAGS_MAX)

_RESERVED_PREFIX: Final = "aws:"
# Letters, spaces and numbers of any script (the Unicode categories L, Z and N), and these marks.
_CATEGORIES: Final = "LZN"
_MARKS: Final = frozenset("+-=._:/@")


def parse_tagging(value: str | None) -> dict[str, str]:
    """Return the tags of a header's `key=value&key2=value2`, percent-encoded; a value may hold `=`.

    Raises InvalidArgumentError if it cannot be read or names a key twice, InvalidTagError if the tags break a rule.
    """
    tags: dict[str, str] = {}
    if not value:
        return tags
    for pair in value.split("&"):
        if not pair:
            continue
        key, _, text = pair.partition("=")
        name = _decode(key)
        if name in tags:
            raise _unreadable(value)
        tags[name] = _decode(text)
    check_tags(tags)
    return tags


def check_tags(tags: dict[str, str], rules: TagRules = OF_OBJECTS) -> None:
    """Accept tags that an object or a bucket may have. Raises InvalidTagError."""
    if len(tags) > rules.tags_max:
        raise InvalidTagError(f"{rules.noun} tags cannot be greater than {rules.tags_max}")
    for key, value in tags.items():
        if not 1 <= len(key) <= TAG_KEY_CHARS_MAX or not _is_text(key):
            raise InvalidTagError("The TagKey you have provided is invalid", fields={"TagKey": key})
        if len(value) > TAG_VALUE_CHARS_MAX or not _is_text(value):
            raise InvalidTagError("The TagValue you have provided is invalid", fields={"TagKey": key, "TagValue": value})
        if key.lower().startswith(_RESERVED_PREFIX):
            raise InvalidTagError("System tags cannot be added/updated by requester", fields={"TagKey": key})


def _is_text(text: str) -> bool:
    return all(category(char)[0] in _CATEGORIES or char in _MARKS for char in text)


def _decode(text: str) -> str:
    try:
        return decode_form(text.encode("latin-1"))
    except InvalidURIError:
        raise _unreadable(text) from None


def _unreadable(value: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
        fields={"ArgumentName": "x-amz-tagging", "ArgumentValue": value},
    )
