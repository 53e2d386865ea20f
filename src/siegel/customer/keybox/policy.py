"""The policy of a box: who may use its keys, for what, when, how often, and whether a reason must be given.

`policy.toml` says it. A call is done only if every rule of the file's top, and of the table of its key, allows it:

    principals = ["arn:aws:iam::123456789012:*"]    # by requestMetadata.awsPrincipalArn
    operations = ["xks.encrypt", "xks.decrypt"]
    accounts = ["123456789012"]                     # by the readable object context
    buckets = ["evidence-*"]
    objects = ["2026/*"]
    require_reason = ["xks.decrypt"]                # person and reason in requestMetadata, which calls of clients (kms) have not
    consents = "required"                           # the provider's own people pass, each use by a consent (`consents.py`)
    rate_per_minute = 60000
    hours = { from = "07:00", to = "19:00", days = ["mon", "tue", "wed", "thu", "fri"], zone = "Europe/Berlin" }

    [keys.evidence]                                 # further rules, by the name or the id of a key
    principals = ["arn:aws:iam::123456789012:user/recorder"]

What is left out allows everything, but for `consents`: without it nobody of the provider's passes. Health checks are never
subject to the policy, as the specification of the proxy demands.

A file in which nothing is written is none: a program that writes in place empties the file first, and a full disk leaves it
empty. Whoever wants no rules says so in a comment. And the last line has its newline, or the file is half of one.
"""

import tomllib
from collections.abc import Callable, Iterable
from datetime import datetime
from datetime import time as clock_time
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta, Struct

from siegel.access.wildcards import arn_matcher, like, read_atoms
from siegel.customer.keybox.consents import is_operators
from siegel.customer.keybox.content import Key
from siegel.customer.keybox.rates import Rate
from siegel.customer.keybox.refusals import RefusedError
from siegel.customer.keybox.uses import PERSON, REASON, Use
from siegel.domain.errors import ConfigurationError

POLICY_BYTES_MAX: Final = 1024 * 1024
TRY_COMMENT: Final = "try: a file with a comment and nothing else, which allows all"

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Operation = Literal["xks.metadata", "xks.encrypt", "xks.decrypt", "kms.GenerateDataKey", "kms.Decrypt"]
Test = Callable[[str], bool]

_OF_CLIENTS: Final = "kms."


class Hours(Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}):
    """Times of the day at which keys may be used, `start` included, `end` not.

    Where `end` is the earlier they go over midnight: a night belongs to the day on which it begins.
    """

    start: Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "00:00"
    end: Annotated[str, Meta(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")] = "24:00"
    days: tuple[Day, ...] = DAYS
    zone: str = "UTC"

    def __post_init__(self) -> None:
        """Refuse an unknown zone; msgspec turns the ValueError into its own, with the path of the value."""
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{self.zone!r} is no time zone") from None

    def allow(self, now_ms: int) -> bool:
        """Tell whether a moment lies within the hours."""
        local = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(self.zone))
        now, start = local.time(), clock_time.fromisoformat(self.start)
        today, yesterday = (DAYS[local.weekday() - ago] in self.days for ago in (0, 1))
        if self.end == "24:00":
            return today and start <= now
        end = clock_time.fromisoformat(self.end)
        if start <= end:
            return today and start <= now < end
        return (today and start <= now) or (yesterday and now < end)


class Rules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules that must all allow a call. None: whatever it is."""

    principals: tuple[str, ...] | None = None
    operations: tuple[Operation, ...] | None = None
    accounts: tuple[str, ...] | None = None
    buckets: tuple[str, ...] | None = None
    objects: tuple[str, ...] | None = None
    require_reason: tuple[Operation, ...] = ()
    rate_per_minute: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    hours: Hours | None = None
    consents: Literal["required"] | None = None


class File(Rules, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `policy.toml` holds."""

    keys: dict[str, Rules] = {}


class Policy:
    """A policy that was read, and counts its calls."""

    def __init__(self, file: File) -> None:
        """Prepare the patterns. Raises PolicyError; ConfigurationError for a rule that no call could ever meet."""
        self._general = _Judge(file, "")
        self._by_key = {name: _Judge(rules, f"keys.{name}: ") for name, rules in file.keys.items()}

    @property
    def names(self) -> list[str]:
        """The ids and names of keys that have rules of their own."""
        return list(self._by_key)

    def admit(self, use: Use, key: Key, now_ms: int) -> None:
        """Let a use of `key` pass. Raises RefusedError (AccessDeniedException, ThrottlingException) naming the rule."""
        judges = [self._general, *(self._by_key[name] for name in (key.name, key.key_id) if name in self._by_key)]
        if is_operators(use) and not any(judge.takes_consents for judge in judges):
            raise RefusedError(
                "AccessDeniedException", "The policy lets nobody of the provider's pass: it says nothing of consents."
            )
        for judge in judges:
            judge.allow(use, now_ms)
        for judge in judges:
            judge.count(now_ms)


def read_policy(text: str) -> Policy:
    """Read a policy. Raises ConfigurationError with the place of what is wrong, and for a text that is empty or half-written."""
    if not text.strip():
        raise ConfigurationError(f"the policy is empty, so nothing is allowed\n{TRY_COMMENT}")
    if not text.endswith("\n"):
        raise ConfigurationError(
            "the policy's last line has no end, so it may be half of one, and nothing is allowed\ntry: end it with a newline"
        )
    try:
        return Policy(msgspec.convert(tomllib.loads(text), File))
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"the policy says something that no policy says: {error}") from None


class _Judge:
    """The rules of one table."""

    def __init__(self, rules: Rules, place: str) -> None:
        mute = next((name for name in rules.require_reason if name.startswith(_OF_CLIENTS)), None)
        if mute is not None:
            raise ConfigurationError(
                f"{place}require_reason: a call of {mute} has no requestMetadata to tell a reason in, so none would pass\n"
                f"try: operations without {mute}, if none is to pass"
            )
        self._rules = rules
        self._place = place
        self._principals = _tests(rules.principals, _arn_test)
        self._context = {
            name: (rule, tests)
            for name, rule, patterns in (
                ("account", "accounts", rules.accounts),
                ("bucket", "buckets", rules.buckets),
                ("key", "objects", rules.objects),
            )
            if (tests := _tests(patterns, _text_test)) is not None
        }
        self._rate = Rate(rules.rate_per_minute) if rules.rate_per_minute else None

    @property
    def takes_consents(self) -> bool:
        """Whether somebody of the provider's may pass, by a consent."""
        return self._rules.consents == "required"

    def allow(self, use: Use, now_ms: int) -> None:
        """Raise RefusedError (AccessDeniedException) unless every rule allows the use."""
        rules = self._rules
        if rules.operations is not None and use.operation not in rules.operations:
            raise self._denied("operations", f"{use.operation} is not among them")
        if self._principals is not None and not _fits(use.principal, self._principals):
            raise self._denied("principals", "the principal is not among them")
        # Asking for a key's state names no object.
        for name, (rule, tests) in self._context.items() if use.operation != "xks.metadata" else ():
            value = (use.context or {}).get(name)
            if value is None:
                raise self._denied(rule, f"the data says not readably to which {name} it belongs")
            if not _fits(value, tests):
                raise self._denied(rule, f"the {name} is not among them")
        if rules.hours is not None and not rules.hours.allow(now_ms):
            raise self._denied("hours", "it is not the time")
        if use.operation in rules.require_reason and not (_is_told(use, PERSON) and _is_told(use, REASON)):
            raise self._denied("require_reason", f"requestMetadata must hold {PERSON} and {REASON}")

    def count(self, now_ms: int) -> None:
        """Count a use. Raises RefusedError (ThrottlingException) where it is one too many."""
        if self._rate is not None and not self._rate.take(now_ms):
            raise RefusedError("ThrottlingException", f"The policy's {self._place}rate_per_minute is used up.")

    def _denied(self, rule: str, why: str) -> RefusedError:
        return RefusedError("AccessDeniedException", f"The policy's {self._place}{rule} does not allow it: {why}.")


def _is_told(use: Use, name: str) -> bool:
    value = use.metadata.get(name)
    return isinstance(value, str) and bool(value.strip())


def _fits(value: str, tests: Iterable[Test]) -> bool:
    return any(test(value) for test in tests)


def _tests(patterns: tuple[str, ...] | None, build: Callable[[str], Test]) -> list[Test] | None:
    return None if patterns is None else [build(pattern) for pattern in patterns]


def _text_test(pattern: str) -> Test:
    return like(read_atoms(pattern, variables=False))


def _arn_test(pattern: str) -> Test:
    """Return a test by ARN, part by part; a pattern that is no ARN fits whole texts, such as `AWS Internal`."""
    match = arn_matcher(read_atoms(pattern, variables=False))
    if match is None:
        return _text_test(pattern)
    nothing: dict[str, tuple[str, ...]] = {}
    return lambda value: bool(match(value, nothing))
