from xml.etree import ElementTree as ET

import pytest

from siegel.domain import errors, query_errors
from siegel.iamwire.faults import STATUS, to_fault
from siegel.iamwire.xml import Entries, moment, render_answer, render_error

SPACE = "https://iam.amazonaws.com/doc/2010-05-08/"


def read(xml):
    root = ET.fromstring(xml)
    for node in root.iter():
        space, _, node.tag = node.tag.rpartition("}")
        assert space == "{" + SPACE
    return root


def test_a_result_is_written_member_by_member():
    result = {
        "Users": [{"UserName": "a&b", "Tags": []}, {"UserName": "c"}],
        "IsTruncated": False,
        "Count": 3,
        "Marker": None,
        "SummaryMap": Entries({"Users": 2}),
    }
    root = read(render_answer(SPACE, "ListUsers", result, "ID"))
    assert root.tag == "ListUsersResponse"
    assert [name.text for name in root.iterfind("ListUsersResult/Users/member/UserName")] == ["a&b", "c"]
    assert root.findtext("ListUsersResult/IsTruncated") == "false"
    assert root.findtext("ListUsersResult/Count") == "3"
    assert root.find("ListUsersResult/Marker") is None
    entry = root.find("ListUsersResult/SummaryMap/entry")
    assert entry is not None
    assert (entry.findtext("key"), entry.findtext("value")) == ("Users", "2")
    assert root.findtext("ResponseMetadata/RequestId") == "ID"


def test_mere_success_has_no_result():
    root = read(render_answer(SPACE, "DeleteUser", None, "ID"))
    assert [node.tag for node in root] == ["ResponseMetadata"]
    assert read(render_answer(SPACE, "X", {"Yes": True}, "ID")).findtext("XResult/Yes") == "true"


@pytest.mark.parametrize(
    ("text", "shown"), [("<&>\"'", "<&>\"'"), ("a\tb\r\nc", "a\tb\r\nc"), ("a\x00\x1b\ufffe\ud800", "a\ufffd\ufffd\ufffd\ufffd")]
)
def test_text_comes_back_as_it_was(text, shown):
    assert read(render_answer(SPACE, "X", {"T": text}, "ID")).findtext("XResult/T") == shown


def test_an_error_says_who_is_to_blame():
    root = read(render_error(SPACE, "NoSuchEntity", "The user <x> cannot be found.", "ID", is_sender=True))
    assert root.tag == "ErrorResponse"
    assert [root.findtext(f"Error/{name}") for name in ("Type", "Code", "Message")] == [
        "Sender",
        "NoSuchEntity",
        "The user <x> cannot be found.",
    ]
    assert root.findtext("RequestId") == "ID"
    assert read(render_error(SPACE, "X", "", "ID", is_sender=False)).findtext("Error/Type") == "Receiver"


def test_times_are_whole_seconds():
    assert moment(1_700_000_000_999) == "2023-11-14T22:13:20Z"


def test_every_class_of_the_protocols_errors_has_a_status():
    classes = {
        found
        for found in vars(query_errors).values()
        if isinstance(found, type) and issubclass(found, query_errors.QueryError) and found is not query_errors.QueryError
    }
    assert classes == set(STATUS)
    for found in classes:
        fault = to_fault(found("told"))
        assert (fault.code, fault.status, fault.text) == (found.code, STATUS[found], "told")
        assert to_fault(found()).text == found.message


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (errors.AccessDeniedError("why"), "AccessDenied", 403),
        (errors.InvalidAccessKeyIdError(), "InvalidClientTokenId", 403),
        (errors.SignatureDoesNotMatchError(), "SignatureDoesNotMatch", 403),
        (errors.RequestTimeTooSkewedError(), "RequestExpired", 400),
        (errors.IncompleteBodyError(), "ValidationError", 400),
        (errors.PolicyError("Statement 1: no"), "MalformedPolicyDocument", 400),
        (errors.StorageFullError("disk"), "ServiceUnavailable", 503),
        (errors.SealBrokenError("inside"), "ServiceFailure", 500),
        (errors.InternalError("inside"), "ServiceFailure", 500),
    ],
)
def test_errors_of_other_trees_get_the_protocols_codes(error, code, status):
    fault = to_fault(error)
    assert (fault.code, fault.status) == (code, status)
    assert fault.is_sender is (status < 500)
    assert "inside" not in fault.text
    assert "disk" not in fault.text
