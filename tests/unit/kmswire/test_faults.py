"""Every error as KMS tells it."""

import json

import botocore.loaders
import pytest

from siegel.domain import errors, kms_errors
from siegel.domain.kms_errors import KmsError
from siegel.kmswire.answers import render_error
from siegel.kmswire.faults import Fault, to_fault


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (kms_errors.KmsNotFoundError(), "NotFoundException", 400),
        (kms_errors.KmsInternalError(), "KMSInternalException", 500),
        (kms_errors.KmsRequestTooLargeError(), "RequestEntityTooLargeException", 413),
        (errors.AccessDeniedError(), "AccessDeniedException", 400),
        (errors.InvalidAccessKeyIdError(), "UnrecognizedClientException", 400),
        (errors.ExpiredTokenError(), "ExpiredTokenException", 400),
        (errors.SignatureDoesNotMatchError(), "InvalidSignatureException", 400),
        (errors.InvalidArgumentError(), "ValidationException", 400),
        (errors.ServiceUnavailableError(), "ServiceUnavailableException", 503),
        (errors.InternalError(), "KMSInternalException", 500),
        (errors.StorageError("the disk"), "ServiceUnavailableException", 503),
        (errors.PolicyError("Statement 1"), "MalformedPolicyDocumentException", 400),
        (errors.SealBrokenError("blob 7"), "KMSInternalException", 500),
    ],
)
def test_codes_and_statuses(error, code, status):
    fault = to_fault(error)
    assert (fault.code, fault.status, fault.is_sender) == (code, status, status < 500)
    assert fault.text
    assert "blob" not in fault.text
    assert "disk" not in fault.text


def test_every_error_has_a_code_of_its_own():
    classes = KmsError.__subclasses__()
    assert len({error.code for error in classes}) == len(classes)
    assert all(to_fault(error()).code == error.code for error in classes)


COMMON = {
    *("MissingAuthenticationTokenException", "ServiceUnavailableException", "ValidationException"),
    # Of the protocol itself (Smithy, "AWS JSON 1.1 protocol").
    *("RequestEntityTooLargeException", "SerializationException", "UnknownOperationException"),
}
"""Errors that every service of AWS may answer with, and that no model names."""


def test_every_error_is_one_of_kms():
    shapes = botocore.loaders.Loader().load_service_model("kms", "service-2")["shapes"]
    modelled = {name for name, shape in shapes.items() if shape.get("exception")}
    codes = {error.code for error in KmsError.__subclasses__()}
    assert codes <= modelled | COMMON
    assert not COMMON & modelled


def test_what_is_said_is_told():
    assert to_fault(errors.AccessDeniedError("because")).text == "because"
    assert json.loads(render_error(Fault("C", 400, "t"))) == {"__type": "C", "message": "t"}
