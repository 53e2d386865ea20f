"""The cost of a decision: of an account's root without policies, and with realistic policies on both sides.

Decisions are pure, so they are measured alone, in one thread: microseconds of processor time per call, the median of the rounds.
"""

import json
import time
from collections.abc import Callable
from statistics import median

from bench.report import Row
from bench.stage import Plan
from siegel.access.caller import Caller, CallerKind, Rights, root_caller
from siegel.access.decide import decide
from siegel.access.evaluation import Asked, ResourceSide
from siegel.access.policy import Policy, PolicyKind, parse_policy
from siegel.access.remembered import Decisions

ACCOUNT = "111122223333"
CALLS = 20_000
PLAIN_US_MAX = 5.0
POLICIES_US_MAX = 50.0
OBJECT = "arn:aws:s3:::photos/desk/alice/2026/11/27/picture.jpg"


class _Keys:
    """What a request tells."""

    def __init__(self) -> None:
        self._known = {"aws:sourceip": ("10.1.2.3",), "aws:securetransport": ("true",), "s3:prefix": ("desk/alice/",)}

    def get(self, name: str, /) -> tuple[str, ...] | None:
        return self._known.get(name)


def decisions(plan: Plan) -> list[Row]:
    """Return the rows of a root without policies, and of a user with several, both remembered and compiled but new."""
    root = root_caller(ACCOUNT, "SGLROOT")
    asked = Asked("s3:GetObject", OBJECT, _Keys())
    bare = ResourceSide(ACCOUNT)
    plain = _measure(plan, lambda: decide(root, asked, bare))
    user, side = _user(), ResourceSide(ACCOUNT, _bucket_policy(), restrict_public=True)
    full = _measure(plan, lambda: decide(user, asked, side))
    remembered = Decisions()
    fixed = ResourceSide(ACCOUNT)
    remembered.decide(user, asked, fixed)
    again = _measure(plan, lambda: remembered.find(user, asked.action, asked.resource, fixed))
    return [
        _row("Decision, user with policies, remembered", again, PLAIN_US_MAX),
        _row("Decision, root, no policy", plain, PLAIN_US_MAX),
        _row("Decision, user with policies of 9 statements", full, POLICIES_US_MAX),
    ]


def _row(name: str, cost_us: float, asked_us: float) -> Row:
    return Row(name, f"{cost_us:.2f} us", "", "", f"<= {asked_us:.0f} us", cost_us <= asked_us)


def _measure(plan: Plan, work: Callable[[], object]) -> float:
    rounds: list[float] = []
    for _ in range(plan.rounds + 2):
        began = time.thread_time()
        for _ in range(CALLS):
            work()
        rounds.append((time.thread_time() - began) * 1e6 / CALLS)
    return median(rounds)


def _policy(kind: PolicyKind, *statements: dict[str, object]) -> Policy:
    return parse_policy(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}), kind)


def _user() -> Caller:
    listing = _policy(
        PolicyKind.IDENTITY,
        {"Effect": "Allow", "Action": ["s3:ListAllMyBuckets", "s3:GetBucketLocation"], "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": "arn:aws:s3:::photos",
            "Condition": {"StringLike": {"s3:prefix": ["", "desk/", "desk/${aws:username}/*"]}},
        },
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject*", "s3:PutObject*", "s3:DeleteObject*"],
            "Resource": "arn:aws:s3:::photos/desk/${aws:username}/*",
            "Condition": {"IpAddress": {"aws:SourceIp": ["192.168.0.0/16", "10.0.0.0/8"]}},
        },
    )
    guard = _policy(
        PolicyKind.IDENTITY,
        {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::*/secret/*"},
        {"Effect": "Deny", "Action": ["s3:PutBucketPolicy", "s3:DeleteBucket*"], "Resource": "*"},
        {
            "Effect": "Deny",
            "NotAction": "s3:*",
            "Resource": "*",
            "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
        },
    )
    boundary = _policy(PolicyKind.BOUNDARY, {"Effect": "Allow", "Action": ["s3:*", "kms:*"], "Resource": "*"})
    return Caller(
        kind=CallerKind.USER,
        account_id=ACCOUNT,
        access_key_id="SGLUSER",
        arn=f"arn:aws:iam::{ACCOUNT}:user/alice",
        principal_id="AIDAALICE00000000001",
        name="alice",
        rights=Rights.of([("home", listing), ("guard", guard)], ("limit", boundary)),
    )


def _bucket_policy() -> Policy:
    return _policy(
        PolicyKind.BUCKET,
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
        {
            "Effect": "Allow",
            "Principal": {"AWS": "444455556666"},
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::photos/shared/*",
        },
    )
