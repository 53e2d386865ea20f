"""Callers, policies and requests to decide about."""

import json

from siegel.access.caller import ANONYMOUS, Caller, CallerKind, Rights, root_caller
from siegel.access.decide import decide
from siegel.access.evaluation import Asked, ResourceSide
from siegel.access.policy import PolicyKind, parse_policy
from siegel.access.request_keys import NO_KEYS
from siegel.domain.errors import AccessDeniedError

OWN, OTHER = "111122223333", "444455556666"
ALICE = f"arn:aws:iam::{OWN}:user/staff/alice"
ALICE_ID = "AIDAALICE00000000001"
READER = f"arn:aws:iam::{OWN}:role/reader"
READER_ID = "AROAREADER0000000001"
SESSION = f"arn:aws:sts::{OWN}:assumed-role/reader/job-1"
BINDINGS = {ALICE: ALICE_ID, READER: READER_ID, SESSION: READER_ID}
BUCKET = "arn:aws:s3:::photos"
OBJECT = f"{BUCKET}/2026/cat.jpg"

ROOT = root_caller(OWN, "SGLOWNER")
STRANGER = root_caller(OTHER, "SGLSTRANGER")
__all__ = ["ANONYMOUS"]


def document(*statements, version="2012-10-17"):
    return json.dumps({"Version": version, "Statement": list(statements)})


def statement(effect="Allow", **elements):
    return {"Effect": effect, "Action": "s3:GetObject", "Resource": f"{BUCKET}/*", **elements}


def trimmed(written, *names):
    return {name: value for name, value in written.items() if name not in names}


def policy(*statements, kind=PolicyKind.IDENTITY, version="2012-10-17", bindings=BINDINGS):
    return parse_policy(document(*statements, version=version), kind, bindings=bindings)


def bucket_policy(*statements, **options):
    return policy(
        *({"Principal": "*", **one} if "NotPrincipal" not in one else one for one in statements),
        kind=PolicyKind.BUCKET,
        **options,
    )


def rights(*statements, boundary=None, session=None):
    return Rights.of(
        [("mine", policy(*statements))] if statements else [],
        None if boundary is None else ("limit", policy(boundary, kind=PolicyKind.BOUNDARY)),
        [] if session is None else [("inline", policy(session, kind=PolicyKind.SESSION))],
    )


def alice(*statements, account=OWN, **options):
    return Caller(
        kind=CallerKind.USER,
        account_id=account,
        access_key_id="SGLALICE",
        arn=ALICE.replace(OWN, account),
        principal_id=ALICE_ID,
        name="alice",
        rights=rights(*statements, **options),
    )


def reader(*statements, **options):
    return Caller(
        kind=CallerKind.ROLE,
        account_id=OWN,
        access_key_id="SGLREADER",
        arn=SESSION,
        principal_id=f"{READER_ID}:job-1",
        role_arn=READER,
        is_temporary=True,
        issued_at_ms=1_790_000_000_123,
        rights=rights(*statements, **options),
    )


def denial(caller, resource, action="s3:GetObject", arn=OBJECT, keys=NO_KEYS):
    """Return why it is denied, or None if it is allowed."""
    try:
        decide(caller, Asked(action, arn, keys), resource)
    except AccessDeniedError as error:
        return error.text
    return None


def is_allowed(caller, resource, action="s3:GetObject", arn=OBJECT, keys=NO_KEYS):
    return denial(caller, resource, action, arn, keys) is None


def own(bucket=None, **options):
    return ResourceSide(OWN, bucket, **options)
