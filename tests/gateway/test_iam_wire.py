"""The query protocol byte by byte: what an SDK would never send, and what becomes of it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from . import signer
from .people import allow, deny, document, make_person, new_person
from .raw import Answer, RawClient, with_length
from .service import Service
from .signer import Ask, Keys

FORM = "application/x-www-form-urlencoded; charset=utf-8"
SPACE = "{https://iam.amazonaws.com/doc/2010-05-08/}"
GET_USER = b"Action=GetUser&Version=2010-05-08"


def post(service: Service, body: bytes, *, path: str = "/", query: str = "", content_type: str = FORM) -> Ask:
    headers = (("Host", service.host), *((("Content-Type", content_type),) if content_type else ()))
    return Ask("POST", path, query, headers, body)


def sign(ask: Ask, keys: Keys, **options: Any) -> Ask:
    signed, _ = signer.sign_header(ask, keys, hashlib.sha256(ask.body).hexdigest(), service="iam", **options)
    return with_length(signed)


def call(service: Service, body: bytes, keys: Keys | None = None, **options: Any) -> Answer:
    return service.raw().send(sign(post(service, body, **options), keys or service.owner))


def told(answer: Answer, status: int, code: str) -> str:
    """Assert a whole error of this protocol; return its message."""
    root = ET.fromstring(answer.body)
    assert (answer.status, root.tag, root.findtext(f"{SPACE}Error/{SPACE}Code")) == (status, f"{SPACE}ErrorResponse", code)
    assert root.findtext(f"{SPACE}Error/{SPACE}Type") == "Sender"
    assert answer.header("content-type") == "text/xml"
    assert root.findtext(f"{SPACE}RequestId") == answer.header("x-amzn-requestid") == answer.header("x-amz-request-id")
    return root.findtext(f"{SPACE}Error/{SPACE}Message") or ""


def test_an_answer_carries_its_request_id_in_body_and_header(service: Service):
    answer = call(service, GET_USER)
    root = ET.fromstring(answer.body)
    assert answer.status == 200
    assert root.tag == f"{SPACE}GetUserResponse"
    assert root.findtext(f"{SPACE}ResponseMetadata/{SPACE}RequestId") == answer.header("x-amzn-requestid")


def test_parameters_may_stand_in_the_query_of_a_get(service: Service):
    ask = Ask("GET", "/", GET_USER.decode(), (("Host", service.host),))
    assert service.raw().send(sign(ask, service.owner)).status == 200
    told(service.raw().send(sign(replace(ask, query="Action=GetUser"), service.owner)), 400, "InvalidAction")
    told(service.raw().send(sign(replace(ask, body=GET_USER, query=""), service.owner)), 400, "ValidationError")
    told(service.raw().send(sign(replace(ask, method="PUT"), service.owner)), 400, "InvalidAction")


def test_a_presigned_url_asks_for_what_it_was_signed_for_and_nothing_else(service: Service, iam: Any):
    url = iam.generate_presigned_url("get_user", ExpiresIn=60)
    query = url.partition("?")[2]
    ask = Ask("POST", "/", query, (("Host", service.host), ("Content-Length", "0")))
    assert service.raw().send(ask).status == 200
    told(service.raw().send(replace(ask, query=query.replace("GetUser", "ListUsers"))), 403, "SignatureDoesNotMatch")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "MissingAction"),
        (b"Version=2010-05-08", 400, "MissingAction"),
        (b"Action=GetUser", 400, "InvalidAction"),
        (b"Action=GetUser&Version=2011-06-15", 400, "InvalidAction"),
        (b"Action=Getuser&Version=2010-05-08", 400, "InvalidAction"),
        (b"Action=CreateSAMLProvider&Version=2010-05-08", 400, "InvalidAction"),
        (GET_USER + b"&UserName=a&UserName=b", 400, "ValidationError"),
        (GET_USER + b"&UserName=%", 400, "ValidationError"),
        (GET_USER + b"&UserName=%FF", 400, "ValidationError"),
        (GET_USER + b"&UserName=a%00b", 400, "ValidationError"),
        (GET_USER + b"&UserName.member.1=a", 400, "ValidationError"),
        (GET_USER + b"&Nonsense=1", 400, "ValidationError"),
        (GET_USER + b"&UserName=" + b"a" * 65, 400, "ValidationError"),
        (b"Action=TagUser&Version=2010-05-08&UserName=a&Tags.member.2.Key=k&Tags.member.2.Value=v", 400, "ValidationError"),
        (GET_USER + b"&P=" * 2000, 400, "ValidationError"),
        (b"Action=DeleteUser&Version=2010-05-08", 400, "ValidationError"),
        (b"{}", 400, "MissingAction"),
    ],
)
def test_a_form_that_means_nothing_is_refused_with_the_reason(service: Service, body: bytes, status: int, code: str):
    assert told(call(service, body), status, code)


def test_an_action_that_is_not_built_says_why(service: Service):
    answer = call(service, b"Action=CreateSAMLProvider&Version=2010-05-08")
    assert "not implemented" in told(answer, 400, "InvalidAction")


def test_a_body_is_a_form_at_the_root(service: Service):
    told(call(service, GET_USER, content_type="application/json"), 400, "ValidationError")
    told(call(service, GET_USER, content_type=""), 400, "ValidationError")
    told(call(service, GET_USER, query="Action=ListUsers&Version=2010-05-08"), 400, "ValidationError")
    told(call(service, GET_USER, path="/elsewhere"), 400, "InvalidAction")


def test_a_body_beyond_the_limit_is_refused(service: Service):
    body = GET_USER + b"&UserName=" + b"a" * (1 << 20)
    told(call(service, body), 413, "RequestEntityTooLarge")
    chunked = sign(post(service, body), service.owner).without_header("Content-Length")
    chunked = replace(chunked.with_header("Transfer-Encoding", "chunked"), body=signer.http_chunks(body))
    told(service.raw().send(chunked), 413, "RequestEntityTooLarge")


def test_nobody_comes_in_without_a_signature_that_holds(service: Service):
    raw, owner = service.raw(), service.owner
    good = sign(post(service, GET_USER), owner)
    told(raw.send(replace(good, body=GET_USER.replace(b"GetUser", b"GetRole"))), 403, "SignatureDoesNotMatch")
    told(raw.send(good.set_header("x-amz-extra", "1")), 403, "AccessDenied")
    told(raw.send(sign(post(service, GET_USER), replace(owner, secret_access_key="x" * 40))), 403, "SignatureDoesNotMatch")
    told(
        raw.send(sign(post(service, GET_USER), replace(owner, access_key_id="SGLAAAAAAAAAAAAAAAAA"))), 403, "InvalidClientTokenId"
    )
    told(raw.send(sign(post(service, GET_USER), service.operator)), 403, "InvalidClientTokenId")
    old = datetime.now(UTC) - timedelta(minutes=16)
    told(raw.send(sign(post(service, GET_USER), owner, at=old)), 400, "RequestExpired")
    told(raw.send(sign(post(service, GET_USER), owner, region="eu-west-9")), 400, "IncompleteSignature")
    token = post(service, GET_USER).with_header("x-amz-security-token", "nonsense")
    told(raw.send(sign(token, owner)), 403, "InvalidClientTokenId")


def test_a_signature_for_one_service_opens_no_other(service: Service):
    """The scope decides on the door: a form that is signed for S3 is none of IAM's, and the other way round."""
    ask = post(service, GET_USER)
    for_s3, _ = signer.sign_header(ask, service.owner, hashlib.sha256(ask.body).hexdigest(), service="s3")
    answer = service.raw().send(with_length(for_s3))
    assert (answer.status, answer.code) == (405, "MethodNotAllowed")
    listing = sign(Ask("GET", "/", "", (("Host", service.host),)), service.owner)
    told(service.raw().send(listing), 400, "MissingAction")


def test_no_header_speaks_for_a_condition_of_identities(service: Service, iam: Any):
    """A tag that is demanded of a new user must be one of its tags, not a header that S3 would read."""
    condition = {"StringEquals": {"aws:RequestTag/team": "red"}}
    manager = make_person(service, iam, allow("iam:CreateUser", Condition=condition))
    name = new_person()
    body = b"Action=CreateUser&Version=2010-05-08&UserName=" + name.encode()
    tagged = post(service, body).with_header("x-amz-tagging", "team=red")
    told(service.raw().send(sign(tagged, manager.keys)), 403, "AccessDenied")
    tags = b"&Tags.member.1.Key=team&Tags.member.1.Value=red"
    assert call(service, body + tags, manager.keys).status == 200


def test_a_denial_names_the_statement_to_the_accounts_own_principals(service: Service, iam: Any):
    person = make_person(service, iam, allow("iam:*"), deny("iam:ListUsers", Sid="NoList"))
    message = told(call(service, b"Action=ListUsers&Version=2010-05-08", person.keys), 403, "AccessDenied")
    assert person.arn in message
    assert "NoList" in message


def test_texts_come_back_as_they_were_sent(service: Service, iam: Any):
    name, value, text = new_person(), "\u00e4\u4e2d +/=@.:-_", "a\tb\r\nc <&>\"' +/=@%41 \u00e4"
    body = f"Action=CreateUser&Version=2010-05-08&UserName={name}&Tags.member.1.Key=k&Tags.member.1.Value={quote(value)}"
    assert call(service, body.encode()).status == 200
    assert iam.list_user_tags(UserName=name)["Tags"] == [{"Key": "k", "Value": value}]
    made = iam.create_policy(PolicyName=name, PolicyDocument=document(allow("*")), Description=text)["Policy"]
    assert iam.get_policy(PolicyArn=made["Arn"])["Policy"]["Description"] == text


def test_the_raw_client_of_another_account_sees_nothing(service: Service, iam: Any):
    name = new_person()
    iam.create_user(UserName=name)
    stranger: RawClient = service.raw(service.stranger)
    ask = post(service, GET_USER + b"&UserName=" + name.encode())
    told(stranger.send(sign(ask, service.stranger)), 404, "NoSuchEntity")
