"""As much of the AWS command line as the pages use, for machines that do not have it: same words, same answers, by botocore.

The suite of real clients plays the pages with the real one.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import boto3
import jmespath
from botocore import xform_name
from botocore.exceptions import ClientError

_URI = re.compile(r"s3://([^/]+)/?(.*)")


def main(words: list[str]) -> int:
    service, operation, *rest = words
    if service == "configure":
        # Only of how the real one reads its words.
        return 0
    options: dict[str, str] = {}
    places: list[str] = []
    while rest:
        word = rest.pop(0)
        if word.startswith("--"):
            options[word.removeprefix("--")] = rest.pop(0)
        else:
            places.append(word)
    try:
        if service == "s3":
            return _COMMANDS[operation](boto3.client("s3"), places, options)
        return _call(service.removesuffix("api"), operation, places, options)
    except ClientError as error:
        if (service, operation) == ("s3", "cp"):
            print(f"download failed: {places[0]} to {places[1]} {error}", file=sys.stderr)
            return 1
        print(f"\n{error}", file=sys.stderr)
        return 255


def _call(service: str, operation: str, places: list[str], options: dict[str, str]) -> int:
    client = boto3.client(service)
    query, form = options.pop("query", ""), options.pop("output", "json")
    method = operation.replace("-", "_")
    members = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method]).input_shape.members
    by_option = {xform_name(name, "-"): (name, shape) for name, shape in members.items()}
    given = {by_option[option][0]: _value(by_option[option][1].type_name, text) for option, text in options.items()}
    answer = getattr(client, method)(**given)
    answer.pop("ResponseMetadata")
    if "Body" in answer:
        with answer["Body"] as stream:
            Path(places[0]).write_bytes(stream.read())
        answer.pop("Body")
    found = jmespath.search(query, answer) if query else answer
    if found:
        print(found if form == "text" else json.dumps(found, indent=4, default=str))
    return 0


def _value(kind: str, text: str) -> Any:
    if kind in {"structure", "list"}:
        return json.loads(text) if text[0] in "{[" else dict(pair.split("=", 1) for pair in text.split(","))
    return text


def _place(uri: str) -> tuple[str, str]:
    found = _URI.fullmatch(uri)
    assert found, uri
    return found[1], found[2]


def _make_bucket(s3: Any, places: list[str], _options: dict[str, str]) -> int:
    bucket, _ = _place(places[0])
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    print(f"make_bucket: {bucket}")
    return 0


def _copy(s3: Any, places: list[str], options: dict[str, str]) -> int:
    source, target = places
    if target.startswith("s3://"):
        bucket, key = _place(target)
        key += Path(source).name if not key or key.endswith("/") else ""
        names = {"sse": "ServerSideEncryption", "sse-kms-key-id": "SSEKMSKeyId"}
        s3.put_object(Bucket=bucket, Key=key, Body=Path(source).read_bytes(), **{names[name]: options[name] for name in options})
        print(f"upload: {source} to s3://{bucket}/{key}")
        return 0
    bucket, key = _place(source)
    s3.head_object(Bucket=bucket, Key=key)
    with s3.get_object(Bucket=bucket, Key=key)["Body"] as stream:
        body = stream.read()
    if target == "-":
        sys.stdout.write(body.decode())
        return 0
    path = Path(target) / Path(key).name if Path(target).is_dir() else Path(target)
    path.write_bytes(body)
    print(f"download: {source} to {path}")
    return 0


def _list(s3: Any, places: list[str], _options: dict[str, str]) -> int:
    if not places:
        for bucket in s3.list_buckets()["Buckets"]:
            print(f"{bucket['CreationDate']:%Y-%m-%d %H:%M:%S} {bucket['Name']}")
        return 0
    bucket, prefix = _place(places[0])
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/")
    for folder in found.get("CommonPrefixes", []):
        print(f"{'PRE':>30} {folder['Prefix'].removeprefix(prefix)}")
    for one in found.get("Contents", []):
        print(f"{one['LastModified']:%Y-%m-%d %H:%M:%S} {one['Size']:>10} {one['Key'].rpartition('/')[2]}")
    return 0


_COMMANDS = {"mb": _make_bucket, "cp": _copy, "ls": _list}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
