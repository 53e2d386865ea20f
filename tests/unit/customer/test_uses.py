import json

import pytest

from siegel.customer.keybox.content import Face
from siegel.customer.keybox.refusals import MESSAGE_CHARS_MAX, RefusedError
from siegel.customer.keybox.uses import Use, operation_of, read_context


@pytest.mark.parametrize(
    "aad",
    [
        b"",
        b"project=nile",
        b"[]",
        b'"{}"',
        b" {}",
        b"{",
        b'{"bucket":7}',
        b'{"bucket":{"a":"b"}}',
        b'{"bucket":"a","bucket":"b"}',
        b'{"bucket":"\\ud800"}',
        b'{"bucket":"\xff"}',
        b'{"a":' * 5000,
        b'{"bucket":NaN}',
    ],
)
def test_what_is_no_readable_context(aad):
    assert read_context(aad) is None


def test_a_readable_context():
    assert read_context('{"bucket":"Bücher","key":"a/b"}'.encode()) == {"bucket": "Bücher", "key": "a/b"}
    assert read_context(b"{}") == {}


def test_an_entry_leaves_out_what_is_not_there():
    use = Use("2026-03-01T12:00:00.000Z", "xks.health", "ok")
    assert json.loads(use.entry()) == {"at": "2026-03-01T12:00:00.000Z", "operation": "xks.health", "result": "ok"}
    use.bind(b"")
    assert use.context_sha256 == ""
    use.bind(b"opaque")
    assert json.loads(use.entry())["context_sha256"].startswith("6d229884")
    use.bind(b'{"a":"b"}')
    assert json.loads(use.entry())["context"] == {"a": "b"}


def test_operations_are_named_by_their_face():
    assert (operation_of(Face.XKS, "health"), operation_of(Face.KMS, "Decrypt")) == ("xks.health", "kms.Decrypt")


def test_messages_are_printable_and_short():
    refused = RefusedError("ValidationException", "Grüße\n" + "x" * 1000)
    assert refused.message.startswith("Gr??e?xxx")
    assert len(refused.message) == MESSAGE_CHARS_MAX
    assert refused.status == 400
