"""The CORS rules of a bucket in XML.

What is put here is sent to browsers in headers, so nothing that could end a header, or split one in two, comes in.

Source: Amazon S3 API Reference, PutBucketCors; User Guide, "Elements of a CORS configuration".
"""

import re
from typing import Final

from siegel.domain.configuration import Cors, CorsRule
from siegel.domain.errors import InvalidRequestError, MalformedXMLError, MaxMessageLengthExceededError
from siegel.domain.limits import CORS_BYTES_MAX, CORS_ID_CHARS_MAX, CORS_RULES_MAX
from siegel.s3wire.cors import METHODS
from siegel.s3wire.xmltext import document, element
from siegel.s3wire.xmltree import Element, children, doubled, name_of, read_tree, text_of

_ROOT: Final = "CORSConfiguration"
_RULE: Final = "CORSRule"
_SEVERAL: Final = {
    "AllowedOrigin": "origins",
    "AllowedMethod": "methods",
    "AllowedHeader": "headers",
    "ExposeHeader": "exposed",
}
_SINGLE: Final = frozenset({"ID", "MaxAgeSeconds"})
_FIELDS: Final = frozenset({*_SEVERAL, *_SINGLE})
_ORIGIN: Final = re.compile(r"[!-+\--~]+")
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SECONDS: Final = re.compile(r"[0-9]{1,9}")


def parse_cors(body: bytes) -> Cors:
    """Return the rules of a PutBucketCors. Raises MalformedXMLError, InvalidRequestError, MaxMessageLengthExceededError."""
    if len(body) > CORS_BYTES_MAX:
        raise MaxMessageLengthExceededError(fields={"MaxMessageLengthBytes": str(CORS_BYTES_MAX)})
    rules = tuple(_read_rule(rule) for rule in children(read_tree(body, _ROOT), frozenset({_RULE})))
    if not rules:
        raise MalformedXMLError(f"A {_ROOT} has a {_RULE} at least.")
    if len(rules) > CORS_RULES_MAX:
        raise InvalidRequestError(f"The number of CORS rules should not exceed allowed limit of {CORS_RULES_MAX} rules.")
    return Cors(rules=rules)


def _read_rule(rule: Element) -> CorsRule:
    several: dict[str, list[str]] = {field: [] for field in _SEVERAL.values()}
    single: dict[str, str] = {}
    for child in children(rule, _FIELDS):
        name, text = name_of(child), text_of(child)
        if name in single:
            raise doubled(name)
        if name in _SINGLE:
            single[name] = text
        else:
            _check(name, text)
            several[_SEVERAL[name]].append(text)
    if not several["origins"] or not several["methods"]:
        raise MalformedXMLError(f"A {_RULE} has an AllowedOrigin and an AllowedMethod at least.")
    return CorsRule(
        max_age_s=_seconds(single.get("MaxAgeSeconds")),
        rule_id=_rule_id(single.get("ID", "")),
        **{field: tuple(texts) for field, texts in several.items()},
    )


def _check(name: str, text: str) -> None:
    if name == "AllowedMethod":
        if text not in METHODS:
            raise InvalidRequestError(f"Found unsupported HTTP method in CORS config. Unsupported method is {text}")
        return
    if text.count("*") > 1:
        raise InvalidRequestError(f'{name} "{text}" can not have more than one wildcard.')
    if name == "ExposeHeader" and "*" in text:
        raise InvalidRequestError(
            f'ExposeHeader "{text}" contains wildcard. We currently do not support wildcard for ExposeHeader.'
        )
    if (_ORIGIN if name == "AllowedOrigin" else _HEADER).fullmatch(text) is None:
        raise InvalidRequestError(f"{name} holds a character that it cannot have, or nothing.")


def _seconds(text: str | None) -> int | None:
    if text is None:
        return None
    if _SECONDS.fullmatch(text) is None:
        raise MalformedXMLError("MaxAgeSeconds is a number of seconds.")
    return int(text)


def _rule_id(text: str) -> str:
    if len(text) > CORS_ID_CHARS_MAX:
        raise InvalidRequestError(f"The ID of a CORS rule has at most {CORS_ID_CHARS_MAX} characters.")
    return text


def render_cors(cors: Cors) -> bytes:
    """Return the answer of GetBucketCors."""
    return document(_ROOT, *map(_render_rule, cors.rules))


def _render_rule(rule: CorsRule) -> str:
    parts = [element("ID", rule.rule_id)] if rule.rule_id else []
    parts += [element(name, text) for name, field in _SEVERAL.items() for text in getattr(rule, field)]
    if rule.max_age_s is not None:
        parts.append(element("MaxAgeSeconds", str(rule.max_age_s)))
    return f"<{_RULE}>{''.join(parts)}</{_RULE}>"
