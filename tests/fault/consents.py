"""(i) SIGKILL of the whole service at each step of a consent's life: asked for, approved, active, used, ended by word or by time.

The kills follow each other as the steps do, so that one life meets many of them, and goes on after each. After each kill the
service starts again, and what it says is held against what was acknowledged: nothing is active but what the customer's own keys
and his witness prove, and what was ended stays ended. The customer's auditor then reads the log, and must find nothing amiss.
"""

import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.service import BenchError, kill_all, tree_of

from siegel.customer.audit.openings import read_lines
from siegel.customer.audit.sources import FolderSource
from siegel.domain.faultpoints import FAULT_POINTS, VARIABLE
from siegel.domain.ledgers import LedgerError
from siegel.ledger.consent_evidence import verify_evidence
from siegel.ledger.consent_keys import parse_consent_keys
from siegel.ledger.policies import read_policy
from tests.fault.model import Violation
from tests.gateway.consenting import Parties, parties
from tests.gateway.raw import Answer, CutError
from tests.gateway.service import People, Service, make_deployment, serving
from tests.gateway.signer import Keys
from tests.gateway.test_consent_commands import Home, home_of

POINTS = tuple(name for name in FAULT_POINTS if name.startswith("consent."))
LOOPBACK = {"SIEGEL_OUTBOUND_ALLOW": "127.0.0.0/8"}
BODY = b"what the engineer may read"
KEY = "film"
# So long a consent lasts whose end by time is waited for.
SHORT_S = 4
PATIENCE_S = 30.0
LIVES_PER_KILL = 3


class DiedError(Exception):
    """A process of the service is gone, or a connection to it."""


@dataclass
class Life:
    """A consent, and what its customer and its engineer know of it: what they were told is a promise."""

    consent_id: str
    is_short: bool
    is_approved: bool = False
    is_ended: bool = False
    is_over: bool = False
    expires_s: int = 0
    reads_tried: int = 0
    reads_told: int = 0
    keys: Keys | None = None
    token: str = ""


class Story:
    """The parties to all lives, whose service is another after each kill."""

    def __init__(self, theirs: Parties, home: Home) -> None:
        self.theirs, self.home = theirs, home
        self.trusted = parse_consent_keys(theirs.call("GET", "keys").body), read_policy(theirs.policy)
        self.lives: list[Life] = []
        self.answered: list[str] = []
        self.violations: list[Violation] = []
        self.checks = self.refusals = self.audits = 0
        self._pids: set[int] = set()

    def begin(self, service: Service) -> None:
        self.theirs.service = service
        self._pids = set(tree_of(service.pid))

    def has_died(self) -> bool:
        return set(tree_of(self.theirs.service.pid)) != self._pids

    def blame(self, kind: str, what: str) -> None:
        self.violations.append(Violation(kind, "consents", what))

    # Asking.

    def tell(self, answer: Answer) -> Answer:
        """Note the entry that an answer names."""
        self.answered.append(answer.header("x-siegel-entry"))
        return answer

    def read(self, life: Life) -> Answer:
        """Read the object as the engineer."""
        if life.keys is None:
            given = self.theirs.credentials(life.consent_id)
            life.keys, life.token = Keys(given["AccessKeyId"], given["SecretAccessKey"]), given["SessionToken"]
        raw = self.theirs.service.raw(life.keys)
        asked = raw.ask("GET", self.theirs.bucket, KEY).with_header("x-amz-security-token", life.token)
        life.reads_tried += 1
        answer = self.tell(raw.send(raw.sign(asked)))
        life.reads_told += answer.status == 200
        return answer

    def wait(self, life: Life, *states: str) -> str:
        give_up = time.monotonic() + PATIENCE_S
        while (state := str(self.theirs.shown(life.consent_id)["state"])) not in states:
            if self.has_died():
                raise DiedError
            if time.monotonic() > give_up:
                self.blame("stuck", f"a consent stays {state}, and does not become {' or '.join(states)}")
                raise DiedError
            time.sleep(0.05)
        return state

    # A life.

    def born(self, *, is_short: bool) -> Life:
        """Ask for access, or find what was asked for when nobody answered."""
        known = {life.consent_id for life in self.lives}
        listed = json.loads(self.theirs.call("GET", "").body)["consents"]
        lost = [row["consent_id"] for row in listed if row["consent_id"] not in known]
        consent_id = lost[0] if lost else self.theirs.request(KEY)
        life = Life(consent_id, is_short)
        self.lives.append(life)
        return life

    def walk(self, life: Life) -> None:
        """Take a life from where it is to its end."""
        if self.wait(life, "requested", "approved", "active", "revoked", "expired") == "requested":
            request_s = int(time.time())
            changes = {"expires_s": request_s + SHORT_S} if life.is_short else {}
            life.expires_s = request_s + SHORT_S if life.is_short else 0
            assert self.tell(self.theirs.approve(life.consent_id, **changes)).status == 200
            life.is_approved = True
        if self.wait(life, "active", "revoked", "expired") == "active":
            self.prove(life)
            if not life.is_short or time.time() < life.expires_s - 1:
                assert (answer := self.read(life)).status == 200, answer
                assert answer.body == BODY
            if not life.is_short:
                assert self.tell(self.theirs.revoke(life.consent_id)).status == 200
                life.is_ended = True
            self.wait(life, "revoked", "expired")
        life.is_ended = life.is_over = True
        self.refused(life)

    def prove(self, life: Life) -> None:
        """What is active is so by the customer's own keys, under his witness."""
        evidence = self.theirs.call("GET", f"{life.consent_id}/evidence").body
        try:
            proven = verify_evidence(evidence, *self.trusted)
        except LedgerError as error:
            self.blame("unproven", f"{life.consent_id} is active, and its evidence does not hold: {error}")
            return
        if proven.approval.request.consent_id != life.consent_id:
            self.blame("unproven", f"{life.consent_id} is active by the evidence of another one")

    def refused(self, life: Life) -> None:
        """What is over opens nothing."""
        self.refusals += 1
        if life.keys is not None and (answer := self.read(life)).status != 403:
            self.blame("resurrected", f"{life.consent_id} is over, and a read is answered {answer.status}")
        if life.keys is None and self.theirs.ask("POST", f"/{life.consent_id}/credentials")[0] != 403:
            self.blame("resurrected", f"{life.consent_id} is over, and gives credentials")

    # After a kill.

    def check(self, when: str) -> None:
        """Hold what the service says now against what it has acknowledged before it was killed."""
        for life in self.lives:
            self.checks += 1
            shown = self.theirs.shown(life.consent_id)
            state = shown["state"]
            if life.is_approved and state == "requested":
                self.blame("lost", f"an approval that was acknowledged, {when}")
            if not life.reads_told <= shown["reads"] <= life.reads_tried:
                self.blame("lost", f"{shown['reads']} reads of {life.reads_tried}, {life.reads_told} of them answered, {when}")
            if life.is_ended and state not in {"revoked", "expired"}:
                self.blame("resurrected", f"an end that was acknowledged: it is {state}, {when}")
            if state == "active":
                self.prove(life)
            elif state in {"requested", "approved"}:
                if self.theirs.ask("POST", f"/{life.consent_id}/credentials")[0] != 403:
                    self.blame("unproven", f"one that is {state} gives credentials, {when}")
            else:
                self.refused(life)

    def audit(self, when: str) -> None:
        """Let the customer's auditor read and judge everything, once what was answered is there."""
        place = f"{self.theirs.service.url}/.ledger/{self.theirs.account_id}"
        give_up = time.monotonic() + PATIENCE_S
        while True:
            found = self._entries(self._told("sync", "audits", "--from", place, when=when))
            missing = [entry for entry in self.answered if not found[entry]]
            if not missing or time.monotonic() > give_up:
                break
            time.sleep(0.2)
        if missing:
            self.blame("missing", f"{len(missing)} of {len(self.answered)} answers have no entry, {when}")
        if twice := [entry for entry in self.answered if found[entry] > 1]:
            self.blame("twice", f"{len(twice)} answers have more than one entry, {when}")
        self._told("verify", "audits", when=when)

    def _told(self, *words: str, when: str) -> dict[str, Any]:
        self.audits += 1
        told: dict[str, Any] = json.loads(self.home.run("audit", *words, "--json").stdout)
        if not told["holds"]:
            self.blame("audit", f"`siegel audit {words[0]}` says so {when}: {told['findings']}")
        return told

    def _entries(self, told: dict[str, Any]) -> Counter[str]:
        lines = read_lines(FolderSource(self.home.folder / "audits" / "ledger"), 0, told["size"])
        return Counter(line.leaf.request_id for line in lines if line.leaf is not None)


@contextmanager
def killed(directory: Path, people: People, point: str) -> Iterator[Service]:
    """Serve, to die at a point; whatever comes, every process is killed at the end."""
    with serving(directory, people, "--workers", "1", env={**LOOPBACK, VARIABLE: point}) as service:
        try:
            yield service
        finally:
            kill_all([service.pid, *tree_of(service.pid)])


def run(folder: Path, kills: int) -> tuple[list[str], list[Violation]]:
    """Kill the service `kills` times, at one step after the other; return notes and violations."""
    directory = folder / "consents"
    people = make_deployment(directory)
    hits: Counter[str] = Counter()
    with ExitStack() as stack:
        with serving(directory, people, "--workers", "1", env=LOOPBACK) as service:
            story = Story(*_begin(stack, service, folder))
        for number, point in enumerate(itertools.islice(itertools.cycle(POINTS), kills)):
            try:
                with killed(directory, people, point) as service:
                    hits[point] += _live_and_die(story, service, point, f"after {number} kills, before that at {point}")
            except AssertionError as error:
                # What the kill before has left led the steward to the point at once, before workers were ready.
                if "signal 9" not in str(error):
                    raise BenchError(f"the service does not start: {error}") from error
                hits[point] += 1
        with serving(directory, people, "--workers", "1", env=LOOPBACK) as service:
            _end(story, service)
    if missed := [point for point in POINTS[:kills] if not hits[point]]:
        story.blame("not reached", f"the fault points {', '.join(missed)}")
    return [
        f"{kills} kills ({', '.join(f'{name} {count}' for name, count in hits.items())})",
        (
            f"{len(story.lives)} consents, looked at {story.checks} times; {story.refusals} refusals where they were over; "
            f"{story.audits} audits, {len(story.answered)} answers with their entries"
        ),
    ], story.violations


def _begin(stack: ExitStack, service: Service, folder: Path) -> tuple[Parties, Home]:
    """Make the account, its witness, which outlives every kill, and its auditor."""
    (folder / "consents-customer").mkdir()
    theirs = stack.enter_context(parties(service, folder / "consents-witness"))
    theirs.s3.put_object(Bucket=theirs.bucket, Key=KEY, Body=BODY)
    keys = folder / "consents-customer" / "keys"
    keys.write_bytes(theirs.call("GET", "keys").body)
    return theirs, home_of(theirs, folder / "consents-customer", "--consent-keys", str(keys))


def _live_and_die(story: Story, service: Service, point: str, when: str) -> bool:
    """Look at all that there is, then live on until a process dies; return whether one did."""
    story.begin(service)
    try:
        story.check(when)
        for _ in range(LIVES_PER_KILL):
            is_short = point.endswith("_end")
            story.walk(next((life for life in story.lives if not life.is_over), None) or story.born(is_short=is_short))
            if story.has_died():
                return True
    except (DiedError, CutError, OSError):
        give_up = time.monotonic() + PATIENCE_S
        while not story.has_died():
            if time.monotonic() > give_up:
                story.blame("refused", f"a connection was cut, and nobody has died, {when}")
                return False
            time.sleep(0.01)
        return True
    except AssertionError as error:
        story.blame("refused", f"{when}: {error}")
    return False


def _end(story: Story, service: Service) -> None:
    """Bring every life to its end by a service that nobody kills, and audit it all."""
    story.begin(service)
    try:
        story.check("at the end")
        for life in story.lives:
            if not life.is_over:
                story.walk(life)
        story.audit("at the end")
    except AssertionError as error:
        story.blame("refused", f"at the end: {error}")
