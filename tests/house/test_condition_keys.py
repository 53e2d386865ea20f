"""Condition keys are known in two rooms that do not know each other: what one takes in a policy, the other must tell."""

from siegel.access.condition_keys import KNOWN, UNTOLD
from siegel.s3wire.conditionkeys import TOLD


def test_every_key_of_s3_that_a_bucket_policy_may_name_is_told_by_requests():
    known = {f"s3:{name}" for name in KNOWN["s3"]}
    told = {name for name in TOLD if name.startswith("s3:")}
    assert told.isdisjoint(UNTOLD)
    assert told | UNTOLD == known


def test_every_key_that_is_told_is_one_that_policies_may_name():
    known = {f"{service}:{name}" for service in ("aws", "s3") for name in KNOWN[service]}
    assert known >= TOLD
