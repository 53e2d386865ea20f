"""Amazon's S3 Encryption Client while the box does not give the key: neither reads nor writes work, and the error says why."""

import sys

from botocore.exceptions import BotoCoreError
from connect import client, context
from story import BUCKET, tell

WORD = sys.argv[3]
PLACE = {"Bucket": BUCKET, "Key": "objects/v3"}


def refusal(call, **more):
    """Make a call that must fail; return the client's words."""
    try:
        call(**PLACE, EncryptionContext=context(*PLACE.values()), **more)
    except BotoCoreError as error:
        return str(error)
    raise AssertionError("not refused")


def nothing_is_read():
    assert WORD in refusal(client.get_object)


def nothing_is_written():
    assert WORD in refusal(client.put_object, Body=b"new")


tell(nothing_is_read, nothing_is_written)
