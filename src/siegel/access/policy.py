"""Policy documents: read strictly and compiled once.

What the language does not know is refused: an unknown element, operator or version, an element twice, a principal where none may
stand. A policy that is not fully understood is never half applied.

Source: AWS IAM User Guide, "IAM JSON policy elements reference", "Grammar of the IAM JSON policy language", "IAM and AWS STS
quotas"; Amazon S3 User Guide, "Policies and permissions in Amazon S3".
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from typing import Final

from msgspec import Struct

from siegel.access.condition_keys import is_known_key
from siegel.access.conditions import Condition, ReadText, read_condition
from siegel.access.documents import check_elements, load_document, read_object, read_texts
from siegel.access.principals import EVERYONE, NOBODY, Principals, PrincipalType, read_principals
from siegel.access.public import grants_to_public
from siegel.access.statement import Effect, Statement, Statements
from siegel.access.wildcards import Matcher, Test, arn_matcher, like, read_atoms
from siegel.domain import limits
from siegel.domain.errors import PolicyError

NO_BINDINGS: Final[Mapping[str, str]] = {}
VERSION: Final = "2012-10-17"
_VERSIONS: Final = (VERSION, "2008-10-17")
_ELEMENTS: Final = {
    *("Sid", "Effect", "Condition"),
    *("Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal"),
}
_SID: Final = re.compile(r"[A-Za-z0-9]*")
_SID_OF_RESOURCE: Final = re.compile(r"[\x20-\x7e]{0,512}")
_ACTION: Final = re.compile(r"(?P<service>[a-z0-9-]+):[A-Za-z0-9*?]+", re.IGNORECASE)
_ANY_ACTION: Final = ("*", "*:*")
_SPACE: Final = re.compile(r"\s+")


class PolicyKind(StrEnum):
    """What a policy is attached to; the value is the word for it in messages."""

    IDENTITY = "identity-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    BUCKET = "bucket policy"
    TRUST = "trust policy"
    KEY = "key policy"


class Rules(Struct, frozen=True):
    """What a kind of policy may say: `services` whose actions it may name, `key_services` whose condition keys (() is any)."""

    chars_max: int | None = None
    bytes_max: int = limits.POLICY_BYTES_MAX
    is_of_resource: bool = False
    has_resource: bool = True
    services: tuple[str, ...] = ()
    any_action: bool = True
    key_services: tuple[str, ...] = ()


RULES: Final[Mapping[PolicyKind, Rules]] = {
    PolicyKind.IDENTITY: Rules(chars_max=limits.IDENTITY_POLICY_CHARS_MAX),
    PolicyKind.BOUNDARY: Rules(chars_max=limits.IDENTITY_POLICY_CHARS_MAX),
    PolicyKind.SESSION: Rules(chars_max=limits.SESSION_POLICY_CHARS_MAX),
    PolicyKind.BUCKET: Rules(
        bytes_max=limits.BUCKET_POLICY_BYTES_MAX, is_of_resource=True, services=("s3",), key_services=("aws", "s3")
    ),
    PolicyKind.TRUST: Rules(
        chars_max=limits.TRUST_POLICY_CHARS_MAX, is_of_resource=True, has_resource=False, services=("sts",), any_action=False
    ),
    PolicyKind.KEY: Rules(
        bytes_max=limits.KEY_POLICY_BYTES_MAX, is_of_resource=True, services=("kms",), key_services=("aws", "kms")
    ),
}


class Policy(Struct, frozen=True):
    """A policy that was understood. `is_public`: it grants something to everybody, as S3 means it."""

    kind: PolicyKind
    statements: Statements
    is_public: bool


def parse_policy(text: str, kind: PolicyKind, *, bindings: Mapping[str, str] = NO_BINDINGS) -> Policy:
    """Return the policy that a document means.

    `bindings` gives for the ARN of each user and role in a Principal element the unique id it had when the policy was put, for
    the ARN of a session its role's, and for a canonical user id its account's id; see `principals_of`. A unique id that is named
    itself needs none.

    Raises PolicyError, which names the place, for anything that the language does not know.
    """
    rules = RULES[kind]
    _check_size(text, kind, rules)
    document = load_document(text)
    check_elements(document, {"Version", "Id", "Statement"}, "Policy")
    version = document.get("Version", _VERSIONS[-1])
    if version not in _VERSIONS:
        raise PolicyError(f"Version: the version must be {VERSION} or {_VERSIONS[-1]}")
    read_texts(document.get("Id", ""), "Id")
    written = document.get("Statement")
    statements = written if isinstance(written, list) else [written]
    if not statements or statements == [None]:
        raise PolicyError("Missing required field Statement")
    reader = _Reader(kind, rules, bindings, variables=version == VERSION)
    read = [reader.read(number, statement) for number, statement in enumerate(statements, 1)]
    sids = [statement.sid for statement in read if statement.sid]
    if len(set(sids)) != len(sids):
        raise PolicyError("Statement IDs (SID) in a single policy must be unique")
    return Policy(kind, Statements(read), any(grants_to_public(statement) for statement in read))


def principals_of(policy: Policy) -> tuple[str, ...]:
    """Return the names in a resource's policy that need binding: ARNs of users, roles and sessions, unique and canonical ids."""
    named = {name for statement in policy.statements.all for name in statement.principals.names}
    return tuple(sorted(named))


def is_public(policy: Policy) -> bool:
    """Tell whether a resource's policy grants something to more than fixed principals or fixed surroundings."""
    return policy.is_public


def resources_of(policy: Policy) -> tuple[str, ...]:
    """Return the patterns of all Resource and NotResource elements, as they are written."""
    return tuple(sorted({text for statement in policy.statements.all for text in statement.resource_texts}))


def _check_size(text: str, kind: PolicyKind, rules: Rules) -> None:
    if len(text.encode("utf-8", "surrogatepass")) > rules.bytes_max:
        raise PolicyError(f"Policy size: at most {rules.bytes_max} bytes for a document of this kind ({kind.value})")
    if rules.chars_max is not None and len(_SPACE.sub("", text)) > rules.chars_max:
        raise PolicyError(f"Policy size: at most {rules.chars_max} characters besides white space ({kind.value})")


class _Reader:
    """Reads the statements of one document."""

    def __init__(self, kind: PolicyKind, rules: Rules, bindings: Mapping[str, str], *, variables: bool) -> None:
        self._kind = kind
        self._rules = rules
        self._bindings = bindings
        self._read_text: ReadText = partial(read_atoms, variables=variables)

    def read(self, number: int, written: object) -> Statement:
        """Return one statement. Raises PolicyError."""
        place = f"Statement {number}"
        element = read_object(written, place)
        check_elements(element, _ELEMENTS, place)
        sid = self._read_sid(element, place)
        effect = _read_effect(element, place)
        action_element = _choose(element, "Action", place)
        principals, except_principals = self._read_principals(element, place)
        resources, resource_texts, except_resources = self._read_resources(element, place)
        action_texts = read_texts(element[action_element], f"{place}, {action_element}")
        return Statement(
            policy=self._kind.value,
            number=number,
            sid=sid,
            effect=effect,
            actions=tuple(self._read_action(text, f"{place}, {action_element}") for text in action_texts),
            action_texts=action_texts,
            except_actions=action_element == "NotAction",
            resources=resources,
            resource_texts=resource_texts,
            except_resources=except_resources,
            conditions=self._read_conditions(element.get("Condition", {}), f"{place}, Condition", effect),
            principals=principals,
            except_principals=except_principals,
            admits_anonymous=self._kind is PolicyKind.BUCKET,
        )

    def _read_sid(self, element: Mapping[str, object], place: str) -> str:
        (sid,) = read_texts(element.get("Sid", ""), f"{place}, Sid")[:1]
        if isinstance(element.get("Sid"), list) or not (_SID_OF_RESOURCE if self._rules.is_of_resource else _SID).fullmatch(sid):
            raise PolicyError(f"{place}, Sid: letters and digits only")
        return sid

    def _read_action(self, text: str, place: str) -> Test:
        found = _ACTION.fullmatch(text)
        if found is None:
            allowed = text in _ANY_ACTION and self._rules.any_action
        else:
            allowed = not self._rules.services or found["service"].lower() in self._rules.services
        if not allowed:
            raise PolicyError(f'Policy has invalid action: {place}: "{text}"')
        return like(read_atoms(text.lower(), variables=False))

    def _read_resources(
        self, element: Mapping[str, object], place: str
    ) -> tuple[tuple[Matcher, ...] | None, tuple[str, ...], bool]:
        if not self._rules.has_resource:
            if "Resource" in element or "NotResource" in element:
                raise PolicyError(f"{place}: Has prohibited field Resource")
            return None, (), False
        name = _choose(element, "Resource", place)
        texts = read_texts(element[name], f"{place}, {name}")
        return tuple(self._read_resource(text, f"{place}, {name}") for text in texts), texts, name == "NotResource"

    def _read_resource(self, text: str, place: str) -> Matcher:
        with _at(place):
            found = arn_matcher(self._read_text(text))
        if found is None:
            raise PolicyError(f'Policy has invalid resource: {place}: "{text}" is neither an ARN nor "*"')
        return found

    def _read_principals(self, element: Mapping[str, object], place: str) -> tuple[Principals, bool]:
        if not self._rules.is_of_resource:
            if "Principal" in element or "NotPrincipal" in element:
                raise PolicyError(f"{place}: Has prohibited field Principal")
            return NOBODY, False
        name = _choose(element, "Principal", place)
        written, place = element[name], f"{place}, {name}"
        if written == EVERYONE:
            return read_principals({PrincipalType.AWS: (EVERYONE,)}, self._bindings), name == "NotPrincipal"
        by_type = read_object(written, place)
        check_elements(by_type, set(PrincipalType), place)
        names = {kind: read_texts(value, f"{place}, {kind}") for kind, value in by_type.items()}
        with _at(place):
            return read_principals(names, self._bindings), name == "NotPrincipal"

    def _read_conditions(self, written: object, place: str, effect: Effect) -> tuple[Condition, ...]:
        if written == {}:
            return ()
        conditions: list[Condition] = []
        for operator, tests in read_object(written, place).items():
            for key, values in read_object(tests, f"{place}, {operator}").items():
                where = f"{place}, {operator}, {key}"
                texts = read_texts(values, where, any_scalar=True)
                if self._rules.key_services and not is_known_key(key, self._rules.key_services):
                    raise PolicyError(f"Policy has an invalid condition key: {where}")
                with _at(where):
                    conditions.append(read_condition(operator, key, texts, self._read_text, in_doubt=effect is Effect.DENY))
        return tuple(conditions)


def _read_effect(element: Mapping[str, object], place: str) -> Effect:
    if "Effect" not in element:
        raise PolicyError(f"{place}: Missing required field Effect")
    written = element["Effect"]
    if written not in tuple(Effect):
        raise PolicyError(f"{place}: Effect must be Allow or Deny")
    return Effect(str(written))


def _choose(element: Mapping[str, object], name: str, place: str) -> str:
    """Return `name` or `Not{name}`, whichever the statement has; it must have one of them."""
    found = [choice for choice in (name, f"Not{name}") if choice in element]
    if not found:
        raise PolicyError(f"{place}: Missing required field {name}")
    if len(found) > 1:
        raise PolicyError(f"{place}: {name} and Not{name} exclude each other")
    return found[0]


@contextmanager
def _at(place: str) -> Iterator[None]:
    """Put the place in front of what a PolicyError says."""
    try:
        yield
    except PolicyError as error:
        raise PolicyError(f"{place}: {error}") from error
