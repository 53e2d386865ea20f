"""Members of every operation of KMS with values of every wrong kind: a clear error of KMS each time, and nothing is lost."""

from __future__ import annotations

import base64
import json
from typing import Any

import botocore.loaders
import pytest

from siegel.kmswire.operations import OPERATIONS

from .service import Service
from .test_kms_ciphers import call

BAD: list[Any] = [
    *(None, True, 0, -1, 10**30, 1.5, "", "x", "\x00", "é" * 300, "a" * 5000),
    *([], [None], ["a"], [[]], [{}], {}, {"a": None}, {"a": "b"}, {"": ""}),
]
BODIES = [b"", b"null", b"[]", b"{", b'"x"', b"\xff", b"{}", b'{"KeyId": 1}', b'{"KeyId": "x", "KeyId": "y"}', b"[" * 2000]
COMMON = {"AccessDeniedException", "SerializationException", "ValidationException"}
MODEL = botocore.loaders.Loader().load_service_model("kms", "service-2")
SHAPES = MODEL["shapes"]
CODES = {name for name, shape in SHAPES.items() if shape.get("exception")} | COMMON
DEFAULTS = {"AliasName": "alias/none", "PolicyName": "default", "ExternalKeyId": "x"}


def good(shape_name: str, member: str, key_id: str) -> Any:
    """A value of a member that KMS's model takes."""
    shape = SHAPES[shape_name]
    if shape["type"] == "structure":
        required = shape.get("required", ())
        return {name: good(shape["members"][name]["shape"], name, key_id) for name in required}
    kinds: dict[str, Any] = {
        "string": shape.get("enum", [DEFAULTS.get(member, key_id)])[0],
        "blob": base64.b64encode(b"x" * 40).decode(),
        "integer": shape.get("min", 1),
        "boolean": True,
        "list": [],
        "map": {},
        "timestamp": 1.8e9,
    }
    return kinds[shape["type"]]


@pytest.mark.parametrize("name", OPERATIONS)
def test_bad_input_is_an_error_of_kms_and_never_of_the_service(service: Service, kms: Any, name: str) -> None:
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    shape_name = MODEL["operations"][name]["input"]["shape"]
    whole = good(shape_name, "", key_id)
    bodies = BODIES + [json.dumps(whole | {member: bad}).encode() for member in SHAPES[shape_name]["members"] for bad in BAD]
    for body in bodies:
        answer = call(service, f"TrentService.{name}", body)
        assert answer.status in {200, 400}, (body, answer)
        if answer.status == 400:
            told = json.loads(answer.body)
            assert told["__type"] in CODES, (body, told)
            assert told["message"], (body, told)
    # Whatever came of it, the key is there.
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyId"] == key_id
