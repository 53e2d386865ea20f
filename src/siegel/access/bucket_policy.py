"""What S3 asks of a bucket's policy beyond the policy language: it speaks of this bucket and its objects, with S3's actions.

Source: Amazon S3 User Guide, "Policies and permissions in Amazon S3", "Troubleshoot bucket policies" (wording of the refusals).
"""

from functools import reduce
from operator import or_
from typing import Final

from siegel.access.condition_keys import is_untold
from siegel.access.policy import Policy
from siegel.access.s3_actions import ACTIONS, About
from siegel.access.wildcards import Atom, Atoms, Wildcard, has_variables, like, read_atoms, split_arn
from siegel.domain.errors import PolicyError

_NOWHERE: Final = About(0)


def s3_arn(bucket: str, object_key: str = "") -> str:
    """Return the ARN of a bucket, or of an object in it; `*` as bucket stands for what is about no single one."""
    return f"arn:aws:s3:::{bucket}/{object_key}" if object_key else f"arn:aws:s3:::{bucket}"


def check_bucket_policy(policy: Policy, bucket_name: str) -> None:
    """Check that a bucket's policy names known actions, this bucket only, and for each action a resource that it can be about.

    Its conditions may ask only for keys that requests can have. Raises PolicyError.
    """
    for statement in policy.statements.all:
        place = f"Statement {statement.number}"
        for condition in statement.conditions:
            if is_untold(condition.key):
                problem = "it tells of what does not exist here"
                raise PolicyError(f'Policy has an invalid condition key: {place}: "{condition.key}": {problem}')
        about = [_about_resource(text, bucket_name, place) for text in statement.resource_texts]
        named = reduce(or_, about, _NOWHERE)
        for text in statement.action_texts:
            action = _about_action(text, place)
            if not (statement.except_actions or statement.except_resources or action & named):
                raise PolicyError(f'Action does not apply to any resource(s) in statement: {place}: "{text}"')


def _about_action(text: str, place: str) -> About:
    fits = like(read_atoms(text.lower(), variables=False))
    found = reduce(or_, (about for name, about in ACTIONS.items() if fits(name.lower())), _NOWHERE)
    if not found:
        raise PolicyError(f'Policy has invalid action: {place}: "{text}"')
    return found


def _about_resource(text: str, bucket_name: str, place: str) -> About:
    if text == "*":
        return About.BUCKET | About.OBJECT
    parts = split_arn(read_atoms(text))
    named = None if parts is None or parts[1:-1] != [("aws",), ("s3",), (), ()] else parts[-1]
    bucket, is_object = _split_bucket(named or ())
    if has_variables(bucket) or not like(bucket)(bucket_name):
        raise PolicyError(f'Policy has invalid resource: {place}: "{text}"')
    return About.OBJECT if is_object else About.BUCKET | (About.OBJECT if bucket[-1:] == (Wildcard.MANY,) else _NOWHERE)


def _split_bucket(name: Atoms) -> tuple[Atoms, bool]:
    """Return the pattern of the bucket's name, and whether a `/` follows it."""
    bucket: list[Atom] = []
    for atom in name:
        if isinstance(atom, str) and "/" in atom:
            return (*bucket, *filter(None, [atom.partition("/")[0]])), True
        bucket.append(atom)
    return tuple(bucket), False
