"""Errors as answers."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from botocore.parsers import RestXMLParser
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain import absences, browser_errors, consents, errors, key_errors
from siegel.domain.errors import (
    ConfigurationError,
    InvalidRangeError,
    NoSuchKeyError,
    NotModifiedError,
    S3Error,
    SealBrokenError,
    SiegelError,
    StorageError,
    StorageFullError,
    UnsupportedFeatureError,
    WrongCustomerKeyError,
)
from siegel.s3wire.faults import STATUS, render_error_page, render_fault, status_of, to_s3_error
from siegel.s3wire.xmltext import encode_url, escape


def subclasses(root):
    for each in root.__subclasses__():
        yield each
        yield from subclasses(each)


def test_every_error_that_clients_may_meet_has_its_status():
    assert set(subclasses(S3Error)) == set(STATUS)
    assert all(status in {301, 304, 400, 403, 404, 405, 409, 411, 412, 414, 416, 500, 501, 503} for status in STATUS.values())


def test_classes_are_named_after_their_codes():
    of_keys = {error for error in STATUS if error.__module__ == key_errors.__name__}
    assert all(error.code.startswith("KMS.") for error in of_keys)
    exceptions = {UnsupportedFeatureError, *of_keys}
    for error in set(STATUS) - exceptions:
        assert error.__name__.removesuffix("Error") == error.code.removesuffix("Exception").removesuffix("Error")
    assert len({error.code for error in STATUS}) == len(STATUS)


def test_trap_41_the_answer_as_clients_read_it():
    status, headers, body = render_fault(NoSuchKeyError(fields={"Key": "a<b>"}), "/bucket/a<b>", "REQ", "HOST")
    assert (status, headers) == (404, {"Content-Type": "application/xml"})
    parsed = RestXMLParser().parse({"status_code": status, "headers": {}, "body": body}, None)
    assert parsed["Error"]["Code"] == "NoSuchKey"
    assert parsed["Error"]["Message"] == "The specified key does not exist."
    assert (parsed["Error"]["Key"], parsed["Error"]["Resource"]) == ("a<b>", "/bucket/a<b>")
    assert [ET.fromstring(body).findtext(name) for name in ("RequestId", "HostId")] == ["REQ", "HOST"]


def test_trap_41_headers_of_an_error_are_on_its_answer():
    error = InvalidRangeError(headers={"Content-Range": "bytes */7"})
    assert render_fault(error, "/b/k", "R", "H")[1]["Content-Range"] == "bytes */7"
    assert render_fault(NotModifiedError(headers={"ETag": '"x"'}), "/b/k", "R", "H") == (304, {"ETag": '"x"'}, b"")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (SealBrokenError("blob 17 of /var/lib"), 500, "InternalError"),
        (ConfigurationError("/etc/siegel.toml"), 500, "InternalError"),
        (SiegelError("secret"), 500, "InternalError"),
        (WrongCustomerKeyError("blob 17 of /var/lib"), 403, "AccessDenied"),
        (StorageError("disk /dev/sda"), 503, "ServiceUnavailable"),
        (StorageFullError("disk /dev/sda"), 503, "ServiceUnavailable"),
        (S3Error(), 500, "InternalError"),
    ],
)
def test_t52_errors_inside_show_nothing_of_the_inside(error, status, code):
    found, _, body = render_fault(error, "/b/k", "R", "H")
    assert (found, status_of(error), to_s3_error(error).code) == (status, status, code)
    assert b"/var" not in body
    assert b"/etc" not in body
    assert b"secret" not in body
    assert b"/dev" not in body


@given(text=st.text())
def test_t54_whatever_an_error_quotes_the_answer_is_well_formed(text):
    body = render_fault(NoSuchKeyError(fields={"Key": text}), text, text, text)[2]
    found = ET.fromstring(body).find("Key").text or ""
    assert found == re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "\ufffd", text)


def test_escapes():
    assert escape("a & b < c > d \" e ' f\t\r\n\x01") == "a &amp; b &lt; c &gt; d &quot; e &#39; f&#9;&#13;&#10;\ufffd"
    assert encode_url("a b+c/ü~&") == "a%20b%2Bc/%C3%BC~%26"


def test_the_page_of_errors_is_up_to_date():
    page = Path(__file__).parents[3] / "docs" / "reference" / "errors.md"
    assert page.read_text() == render_error_page()
    assert "| `NoSuchKey` | 404 | The specified key does not exist. |" in render_error_page()


def test_the_error_tree_holds_nothing_else():
    named = {**vars(errors), **vars(absences), **vars(browser_errors), **vars(consents), **vars(key_errors)}.values()
    listed = {value for value in named if isinstance(value, type) and issubclass(value, S3Error)}
    assert listed == {*STATUS, S3Error}


def test_s3_control_wraps_its_errors():
    _, _, body = render_fault(NoSuchKeyError(), "/v20180820/tags/x", "REQ", "HOST", of_control=True)
    root = ET.fromstring(body)
    assert (root.tag, root.findtext("Error/Code"), root.findtext("RequestId")) == ("ErrorResponse", "NoSuchKey", "REQ")
