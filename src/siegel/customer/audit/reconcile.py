"""Double entry: whether the provider's ledger, the customer's log of keys and the clients' receipts tell the same story.

They are joined by the id of the request: the ledger's entries have it, key servers are told it as `kmsRequestId`, clients get it
in `x-siegel-entry`. In the ledger, each use of a key in a key server names the request for which the key server was asked
(`docs/design/formats/entry.md`): its own, or an earlier one where a data key that was given out before was used again (a lease).
A use has an entry of its own, or the entry of the object carries it: either counts as one use, and the latter as one access too.

What is compared is what happened within the interval. Around it, both books are read further: a request may begin before and end
after, and a lease rests on what was before.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field

from siegel.customer.audit.balance import Balance, Kind, moment_text
from siegel.customer.audit.keylog import DECRYPT, ENCRYPT, Call, KeyLog, Sealing, Version
from siegel.customer.audit.ledgerbook import COMPLETE, NULL, READS, REENCRYPT, REKEYED, WRAPS, Change, LedgerBook, Request, Said
from siegel.customer.receipts import ClientReceipt
from siegel.domain.entry import UNWRAP

# Whoever writes has asked for a key long before the entry, which comes with the last byte.
_WRITING: Final = ("object.write", "object.copy", "object.encryption.write", "upload.")
DELETE_MANY: Final = "object.delete_many"
_OF_S3: Final = ("object.", "upload.", "bucket.")
REFUSED: Final = 403
_MARGIN_MS: Final = 600_000
# Around the time at which a write was recorded, reads may see it or not.
_COMMIT_MS: Final = 1000
# How long a read may wait at most between what it needed its key for and its entry: for a database that others hold (10 s), for
# the disk, for those who came before.
COMMIT_S: Final = 15
LEASE_S: Final = 60
LEASE_S_MAX: Final = 3600
CLOCK_S: Final = 5
IN_FLIGHT_S: Final = 3600


class Terms(Struct, frozen=True, kw_only=True):
    """The interval, and what is granted: differences of clocks, how long a write may take, how long a lease lasts.

    `leases` are those of single buckets, in seconds; all others have `lease_s`. `receipts_of` are persons (by their ARNs) whose
    receipts are all here.
    """

    from_ms: int
    to_ms: int
    clock_ms: int = CLOCK_S * 1000
    in_flight_s: int = IN_FLIGHT_S
    lease_s: int = LEASE_S
    leases: dict[str, int] = field(default_factory=dict)
    receipts_of: frozenset[str] = frozenset()

    @property
    def ledger_since_ms(self) -> int:
        """From when on entries have to be read, by when they were recorded."""
        return self.from_ms - _MARGIN_MS - self.clock_ms

    @property
    def log_since_ms(self) -> int:
        """From when on lines of the key server's log have to be read."""
        return self.ledger_since_ms - max(self.in_flight_s, LEASE_S_MAX) * 1000


class Books(Struct):
    """Everything that is compared. `ends_ms` is up to when each log of keys goes, in their order.

    `accounts` are those whose ledgers are in `ledger`.
    """

    ledger: LedgerBook
    logs: Sequence[KeyLog]
    ends_ms: Sequence[int]
    receipts: Sequence[tuple[str, ClientReceipt]] = ()
    accounts: frozenset[str] = frozenset()


class _Room(Struct):
    """A use that the ledger states, and how many calls of each operation it still accounts for."""

    use: Said
    least: dict[str, int]
    most: dict[str, int]
    calls: list[Call] = field(default_factory=list)


def reconcile(books: Books, terms: Terms, ledger_until_ms: int, balance: Balance) -> None:
    """Compare the books, and note in `balance` what they do not agree about. The ledger goes up to `ledger_until_ms`."""
    _Reconciling(books, terms, ledger_until_ms, balance).run()


class _Reconciling:
    def __init__(self, books: Books, terms: Terms, ledger_until_ms: int, balance: Balance) -> None:
        self._ledger = books.ledger
        self._logs = books.logs
        self._receipts = books.receipts
        self._accounts = books.accounts
        self._elsewhere: dict[str, int] = defaultdict(int)
        self._terms = terms
        self._balance = balance
        self._until_ms = min(terms.to_ms, ledger_until_ms)
        self._key_ids = frozenset[str]().union(*(log.key_ids for log in books.logs))
        self._sealed: dict[Version, list[Sealing]] = defaultdict(list)
        for log in books.logs:
            for version, sealings in log.sealed.items():
                self._sealed[version] += sealings
        self._sealers = frozenset[str]().union(*(log.sealers for log in books.logs))
        # Where a log is a copy, nothing is known of its keys after its end.
        self._ends_ms: dict[str, int] = {}
        for log, end_ms in zip(books.logs, books.ends_ms, strict=True):
            for key_id in log.key_ids:
                self._ends_ms[key_id] = max(self._ends_ms.get(key_id, 0), end_ms)
        self._path_of = {id(call): str(log.path) for log in books.logs for call in log.calls}
        self._calls: dict[tuple[str, str], list[Call]] = defaultdict(list)
        for log in books.logs:
            for call in log.calls:
                self._calls[call.request_id, call.key_id].append(call)
        self._answered = {receipt.entry for _, receipt in books.receipts}
        self._counts: dict[str, int] = defaultdict(int)
        self._pending_ms: list[int] = []

    def run(self) -> None:
        rooms = self._rooms()
        for place, calls in self._calls.items():
            self._place(place, sorted(calls, key=lambda call: call.at_ms), rooms.get(place, []))
        for room in (room for some in rooms.values() for room in some):
            self._check_room(room)
        for request_id, request in self._ledger.requests.items():
            self._check_request(request_id, request)
        for where, receipt in self._receipts:
            self._check_receipt(where, receipt)
        self._check_order()
        self._conclude()

    # The key server's log against the ledger

    def _rooms(self) -> dict[tuple[str, str], list[_Room]]:
        """Return the uses for which key servers were asked, by request and key."""
        rooms: dict[tuple[str, str], list[_Room]] = defaultdict(list)
        for request_id, request in self._ledger.requests.items():
            for use in request.uses:
                for key_id in use.key_ids:
                    if key_id in self._key_ids and use.call_id == request_id:
                        rooms[request_id, key_id].append(_room(use))
        for some in rooms.values():
            some.sort(key=lambda room: room.use.recorded_ms)
        return rooms

    def _place(self, place: tuple[str, str], calls: Sequence[Call], rooms: Sequence[_Room]) -> None:
        """Find for each call the use that accounts for it."""
        request = self._ledger.requests.get(place[0])
        for call in calls:
            is_asked = self._terms.from_ms <= call.at_ms < self._until_ms
            if is_asked:
                self._balance.counts.unwraps += call.operation == DECRYPT
                self._balance.counts.wraps += call.operation == ENCRYPT
            free = [room for room in rooms if room.most[call.operation]]
            room = next((room for room in free if self._is_within(call.at_ms, room.use)), free[0] if free else None)
            if room is not None:
                room.most[call.operation] -= 1
                room.least[call.operation] -= 1
                room.calls.append(call)
                if is_asked:
                    self._compare(call, room.use, request)
            elif is_asked:
                self._tell_of_stray(call, request)

    def _is_within(self, at_ms: int, said: Said) -> bool:
        return said.asked_ms - self._terms.clock_ms <= at_ms <= said.recorded_ms + self._terms.clock_ms

    def _patience_ms(self, use: Said, request: Request | None) -> int:
        """Return how long after the use of a key its entry may come: that of a write comes with the last byte.

        When a request was asked is the provider's word alone; when it was recorded, the heads prove.
        """
        kinds = [use.carrier] if use.carrier else [said.kind for said in request.own] if request else []
        is_write = any(kind.startswith(_WRITING) for kind in kinds)
        return (self._terms.in_flight_s if is_write else COMMIT_S) * 1000 + self._terms.clock_ms

    def _tell_of_stray(self, call: Call, request: Request | None) -> None:
        evidence = self._evidence(call)
        has_ended = request is not None and any(said.kind == call.reason for said in request.own)
        if request is None and self._is_elsewhere(call):
            self._elsewhere[call.account_id] += 1
        elif not has_ended and self._may_come(call):
            self._pending_ms.append(call.at_ms)
        elif request is None:
            self._balance.add(Kind.MISSING, f"{call.text()}, and the ledger has no entry of that request", **evidence)
        else:
            first = (request.own or request.uses)[0]
            message = f"{call.text()}, more often than the ledger says of that request"
            self._balance.add(Kind.EXTRA, message, **evidence, entry=first.place, recorded=moment_text(first.recorded_ms))

    def _is_elsewhere(self, call: Call) -> bool:
        """Tell whether a data key is bound to an account whose ledger is not here: by what it was wrapped with, not by a word.

        Where that names a bucket of a ledger that is here, somebody has bound it wrongly.
        """
        return bool(call.account_id) and call.account_id not in self._accounts and call.bucket not in self._ledger.buckets

    def _compare(self, call: Call, use: Said, request: Request | None) -> None:
        """Compare what the key server was told with what the ledger says of the same use."""
        balance, evidence = self._balance, self._evidence(call) | {"entry": use.place}
        if not self._is_within(call.at_ms, use):
            times = {"asked": moment_text(use.asked_ms), "recorded": moment_text(use.recorded_ms)}
            balance.add(Kind.LATE, "the ledger dates the use of a key otherwise than the key server", **evidence, **times)
        elif use.recorded_ms - call.at_ms > self._patience_ms(use, request):
            waited = f"{(use.recorded_ms - call.at_ms) / 1000:.1f} s"
            message = f"a use of a key was recorded {waited} after it: it was held back, or made up later"
            balance.add(Kind.LATE, message, **evidence, recorded=moment_text(use.recorded_ms))
        if not use.names:
            self._counts["objects"] += bool(use.carrier)
            return
        if use.principal != call.principal:
            message = "the key server was told of another person than the ledger names"
            balance.add(Kind.ALTERED, message, **evidence, told=call.principal, ledger=use.principal)
        if call.is_for_s3 and not use.carrier and use.status == REFUSED:
            # Who may not use a key is refused before its server is asked.
            message = "the ledger says that the use of a key was refused, and the key server has done it"
            balance.add(Kind.ALTERED, message, **evidence, ledger=f"{use.kind} {use.status}")
        own = _objects_of(use, request)
        if call.is_for_s3 != bool(use.bucket):
            message = "the ledger says of another service than the key server was told that it used the key"
            balance.add(Kind.ALTERED, message, **evidence, ledger=use.bucket or use.kind)
        elif call.is_for_s3 and use.bucket != call.bucket:
            message = "the ledger names another bucket than the data key belongs to"
            balance.add(Kind.ALTERED, message, **evidence, ledger=use.bucket)
        elif call.is_for_s3 and own:
            self._compare_object(call, own, evidence)
        elif call.is_for_s3:
            self._miss_object(call, use)

    def _miss_object(self, call: Call, use: Said) -> None:
        """Tell of a use for an object of which the ledger has an entry of the key alone."""
        if self._is_elsewhere(call):
            # A use of the customer's key for a bucket of another account: the object is in that one's ledger.
            self._elsewhere[call.account_id] += 1
        elif self._may_come(call):
            self._pending_ms.append(call.at_ms)
        else:
            message = f"{call.text()}, and the ledger tells of the key alone, and of no object"
            self._balance.add(Kind.MISSING, message, **self._evidence(call), entry=use.place)

    def _may_come(self, call: Call) -> bool:
        """Tell whether a call was for a write whose entry comes with its last byte: it is judged once there was time for that."""
        return call.at_ms >= self._until_ms - self._terms.in_flight_s * 1000 and call.reason.startswith(_WRITING)

    def _compare_object(self, call: Call, own: Sequence[Said], evidence: dict[str, str | int]) -> None:
        if not all(said.names for said in own):
            self._counts["objects"] += 1
            return
        here = [said for said in own if (said.bucket, said.object_key) == (call.bucket, call.object_key)]
        if not here:
            told = ", ".join(f"{said.bucket}/{said.object_key}" for said in own)
            self._balance.add(
                Kind.ALTERED, "the ledger names another object than the data key belongs to", **evidence, ledger=told
            )
        elif not any(_is_about(call, said) for said in here):
            told = ", ".join(said.version for said in here)
            message = "the ledger names another version than the data key belongs to"
            self._balance.add(Kind.ALTERED, message, **evidence, version=call.version, ledger=told)

    def _check_room(self, room: _Room) -> None:
        """Find out whether the key server knows of every call that the ledger speaks of."""
        use = room.use
        if not self._is_inside(use) or max(room.least.values()) <= 0:
            return
        if use.asked_ms < self._terms.log_since_ms:
            self._counts["long"] += 1
        elif use.recorded_ms > min(self._ends_ms[key_id] for key_id in use.key_ids if key_id in self._ends_ms):
            self._counts["after"] += 1
        else:
            message = "the ledger says that the key server was asked, and the key server's log has no such call"
            self._balance.add(Kind.MISSING, message, **self._where(use), calls_that_are_there=len(room.calls))

    # The ledger against the key server's log

    def _check_request(self, request_id: str, request: Request) -> None:
        counts = self._balance.counts
        inside = [said for said in (*request.own, *request.uses) if self._is_inside(said)]
        if not inside:
            return
        counts.requests += 1
        for use in request.uses:
            if use in inside:
                self._check_use(request_id, use, request)
        unwraps = sum(use.kind == UNWRAP and use.is_done and not self._key_ids.isdisjoint(use.key_ids) for use in request.uses)
        self._check_answered(request_id, inside)
        for said in request.own:
            if said.kind not in READS or not said.is_done:
                continue
            if not said.names:
                self._counts["unnamed"] += said in inside
            elif self._is_sealed(said):
                counts.reads += said in inside
                unwraps -= 1
                if unwraps < 0 and said in inside:
                    message = (
                        f"{said.bucket}/{said.object_key} was read, and is under your key, but the ledger tells of no use of it"
                    )
                    self._balance.add(Kind.MISSING, message, **self._where(said))

    def _check_use(self, request_id: str, use: Said, request: Request) -> None:
        if use.carrier and not use.is_done:
            # Where it failed, the use has an entry of its own: whoever was refused has no key, and no status has two meanings.
            message = "the ledger says that this was refused or failed, and that it used a key all the same"
            self._balance.add(Kind.ALTERED, message, **self._where(use))
        if self._key_ids.isdisjoint(use.key_ids):
            self._check_foreign(use)
            return
        self._balance.counts.uses += 1
        if use.call_id == request_id or (not use.is_done and not use.call_id):
            return
        if not use.call_id:
            self._balance.add(Kind.MISSING, "a key was used, and the ledger says of no call that it rests on", **self._where(use))
            return
        self._balance.counts.leases += 1
        self._check_lease(use, request)

    def _check_foreign(self, use: Said) -> None:
        """Look at a use of a key that no log knows: it is in another key server, unless a log that is here has nothing at all."""
        silent = next((log for log in self._logs if not log.key_ids), None)
        if not use.call_id or silent is None:
            self._counts["others"] += bool(use.call_id)
            return
        message = "the ledger says that a key server was asked, and the key server's log has no call of the service at all"
        self._balance.add(Kind.MISSING, message, **self._where(use), log=str(silent.path))

    def _check_lease(self, use: Said, request: Request) -> None:
        """Find the call that a lease rests on: of the same key for the same object, and not too long ago."""
        calls = [call for key_id in use.key_ids for call in self._calls.get((use.call_id, key_id), ())]
        calls = [call for call in calls if call.at_ms <= use.recorded_ms + self._terms.clock_ms]
        told = self._where(use) | {"rests_on_request": use.call_id}
        if not calls:
            if use.asked_ms > min(self._ends_ms[key_id] for key_id in use.key_ids if key_id in self._ends_ms):
                self._counts["after"] += 1
                return
            message = "a key was used by a lease, and the key server's log has no call that it could rest on"
            self._balance.add(Kind.MISSING, message, **told)
            return
        own = [said for said in _objects_of(use, request) if said.names]
        fitting = [call for call in calls if not own or any(_is_about(call, said) for said in own)]
        if not fitting:
            message = "a key was used by a lease that rests on a call for another object, or another version of it"
            last = calls[-1]
            wrapped_for = f"{last.bucket}/{last.object_key} {last.version}"
            self._balance.add(
                Kind.ALTERED, message, **told, line=last.line, log=self._path_of[id(last)], call_was_for=wrapped_for
            )
            return
        call = max(fitting, key=lambda call: call.at_ms)
        limit_s = self._terms.leases.get(call.bucket, self._terms.lease_s)
        # By when it was asked, and by when it was recorded: an earlier time is soon said.
        ages_ms = (
            (use.asked_ms - call.at_ms, self._terms.clock_ms),
            (use.recorded_ms - call.at_ms, self._patience_ms(use, request)),
        )
        age_ms = next((age_ms for age_ms, slack_ms in ages_ms if age_ms > limit_s * 1000 + slack_ms), None)
        if age_ms is not None:
            message = f"a key was used by a lease that is {age_ms / 1000:.1f} s old, and {limit_s} s are granted"
            self._balance.add(Kind.LATE, message, **told, line=call.line, log=self._path_of[id(call)], at=moment_text(call.at_ms))

    def _is_sealed(self, said: Said) -> bool:
        """Tell whether a version was surely under a key of the customer's when it was read.

        The customer's own log says what was sealed; what happened to it since, the ledger. A write at the same time, or one whose
        names are erased, leaves it open; so does another key for what was there before.
        """
        changes = self._ledger.changes.get((said.bucket, said.object_key, said.version), [])
        began_ms, ended_ms = said.asked_ms - _COMMIT_MS, said.recorded_ms + _COMMIT_MS
        first = bisect_left(changes, began_ms, key=_recorded_ms)
        last = changes[first - 1] if first else None
        meanwhile = changes[first : bisect_right(changes, ended_ms, key=_recorded_ms)]
        blind_ms = self._ledger.blind_ms
        if bisect_left(blind_ms, last.recorded_ms if last else 0) < bisect_right(blind_ms, ended_ms):
            return False
        if last is not None:
            meanwhile.append(last)
        elif said.version != NULL or not meanwhile or meanwhile[0].kind == REKEYED:
            return self._is_born_sealed(said) and all(map(self._is_by_key, meanwhile))
        return all(map(self._is_by_key, meanwhile))

    def _is_born_sealed(self, said: Said) -> bool:
        """Tell whether a key was wrapped for a version when it was made: not after it was read, nor when it got another one."""
        until_ms = said.recorded_ms + self._terms.clock_ms
        sealings = self._sealed.get((said.bucket, said.object_key, said.version), ())
        return any(sealing.at_ms <= until_ms and not self._is_rekeying(sealing) for sealing in sealings)

    def _is_rekeying(self, sealing: Sealing) -> bool:
        """Tell whether a key was wrapped for a version that was there: as the ledger says, or else as the key server was told.

        The ledger says nothing of a request whose process was killed before its commit.
        """
        request_id = sealing.request_id
        return request_id in self._ledger.rekeyers or (sealing.is_rekeying and request_id not in self._ledger.wrappers)

    def _is_by_key(self, change: Change) -> bool:
        """Tell whether a write has put a version under a key of the customer's."""
        if change.kind == COMPLETE:
            # The upload's key was wrapped when it began; who ends it has to unwrap that.
            return change.request_id in self._ledger.unwrappers
        return change.request_id in self._ledger.wrappers or change.request_id in self._sealers

    # Clients' receipts against the ledger

    def _check_receipt(self, where: str, receipt: ClientReceipt) -> None:
        if not self._terms.from_ms <= receipt.at_ms < self._until_ms:
            return
        self._balance.counts.receipts += 1
        request = self._ledger.requests.get(receipt.entry)
        asked = f"{receipt.method} {receipt.bucket}/{receipt.key}".rstrip("/")
        told: dict[str, str | int] = {"receipt": where, "request": receipt.entry, "asked_for": asked}
        told["answered"] = moment_text(receipt.at_ms)
        if request is None or not request.own:
            self._balance.add(Kind.MISSING, "a client was answered, and the ledger has no entry of that request", **told)
            return
        if not all(said.names for said in request.own):
            self._counts["receipts"] += 1
            return
        found = next((said for said in request.own if _is_answer(said, receipt)), None)
        first = found or request.own[0]
        if found is None:
            says = f"{first.kind} {first.bucket}/{first.object_key} {first.version} {first.status}"
            message = "the ledger says something else of a request than its client was answered"
            self._balance.add(Kind.ALTERED, message, **told, status=receipt.status, entry=first.place, ledger=says)
        elif receipt.at_ms < found.asked_ms - self._terms.clock_ms:
            message = "the ledger dates a request after it was answered"
            self._balance.add(Kind.LATE, message, **told, entry=found.place, asked=moment_text(found.asked_ms))

    def _check_answered(self, request_id: str, inside: Sequence[Said]) -> None:
        """See whether somebody who keeps all his receipts has one of a request that the ledger says was his."""
        said = next((said for said in inside if said.principal in self._terms.receipts_of), None)
        if said is not None and said.kind.startswith(_OF_S3) and request_id not in self._answered:
            message = "the ledger tells of a request by somebody who keeps all receipts, and has none of it"
            self._balance.add(Kind.MISSING, message, **self._where(said))

    # The ids of requests

    def _check_order(self) -> None:
        """See whether ids and times of requests agree.

        A process of the service numbers its requests one by one, from a random number on: among its own, a higher number came
        later. So a made-up or back-dated entry falls out of the order. That a number is not there proves nothing: other accounts'
        requests have numbers of the same row.
        """
        for said in self._ledger.nameless:
            if self._is_inside(said):
                message = "an entry of what only a request can have done names no request"
                self._balance.add(Kind.MISSING, message, **self._where(said))
        asked: list[tuple[int, Said]] = []
        for request_id, request in self._ledger.requests.items():
            entries = sorted((*request.own, *request.uses), key=lambda said: said.asked_ms)
            if entries[-1].asked_ms - entries[0].asked_ms > self._terms.clock_ms:
                message = "two requests of different times have the same id"
                self._balance.add(Kind.LATE, message, **self._where(entries[0]), other_entry=entries[-1].place)
            asked.append((int(request_id, 16), entries[0]))
        asked.sort(key=lambda one: one[0])
        newest: Said | None = None
        number_before = -_ROW
        for number, said in asked:
            if number - number_before >= _ROW:
                newest = None
            number_before = number
            if newest is None or said.asked_ms > newest.asked_ms:
                newest = said
            elif said.asked_ms < newest.asked_ms - self._terms.clock_ms and (self._is_inside(said) or self._is_inside(newest)):
                told = self._where(said) | {"asked": moment_text(said.asked_ms)}
                told |= {"other_entry": newest.place, "other_asked": moment_text(newest.asked_ms)}
                message = "a request has a higher id than one that came after it: it was made up, or dated back"
                self._balance.add(Kind.LATE, message, **told)

    def _is_inside(self, said: Said) -> bool:
        return self._terms.from_ms <= said.recorded_ms < self._until_ms

    # What could not be compared

    def _conclude(self) -> None:
        balance, terms = self._balance, self._terms
        balance.until_ms = min((self._until_ms, *self._pending_ms))
        if self._until_ms < terms.to_ms:
            balance.say(f"what came after {moment_text(self._until_ms)}: the ledger that is here ends there")
        if terms.from_ms and self._ledger.first_ms is not None and terms.from_ms < self._ledger.first_ms - terms.clock_ms:
            balance.say(f"what came before {moment_text(self._ledger.first_ms)}: the ledger begins there")
        for log in self._logs:
            if log.first_ms is None:
                balance.say(f"{log.path} has no line yet")
            elif terms.from_ms and terms.from_ms < log.first_ms - terms.clock_ms:
                balance.say(f"{log.path} begins at {moment_text(log.first_ms)}")
            if log.by_clients:
                balance.say(f"{log.by_clients} calls in {log.path} by clients of yours, which the service has no part in")
        self._say_counts()

    def _say_counts(self) -> None:
        balance = self._balance
        if self._pending_ms:
            began = moment_text(min(self._pending_ms))
            balance.say(
                f"{len(self._pending_ms)} uses of keys for writes since {began}: the entry comes with a write's last byte, "
                f"and is waited for {self._terms.in_flight_s} s"
            )
        for account_id, count in sorted(self._elsewhere.items()):
            balance.say(f"{count} uses of keys for the account {account_id}, whose ledger is not here")
        for name, words in _SAID.items():
            if self._counts[name]:
                balance.say(f"{self._counts[name]} {words}")

    def _where(self, said: Said) -> dict[str, str | int]:
        """Return the evidence for an entry; one of a key alone names the object by the other entries of its request."""
        named = _objects_of(said, self._ledger.requests.get(said.request_id)) if said.is_of_key else [said]
        objects = (f"{one.bucket}/{one.object_key}".rstrip("/") for one in named if one.bucket)
        return {
            "entry": said.place,
            "request": said.request_id,
            "recorded": moment_text(said.recorded_ms),
            "kind": f"{said.carrier or said.kind} {said.status}",
            "principal": said.principal,
            "key": ", ".join(said.key_ids),
            "object": ", ".join(objects),
        }

    def _evidence(self, call: Call) -> dict[str, str | int]:
        return {
            "line": call.line,
            "log": self._path_of[id(call)],
            "request": call.request_id,
            "at": moment_text(call.at_ms),
            "key": call.key_id,
            "object": f"{call.bucket}/{call.object_key}" if call.bucket else "",
        }


_ROW: Final = 1 << 32
_SAID: Final = {
    "objects": "uses of keys whose object the ledger names no more: its names were erased, or are kept from you",
    "unnamed": "reads of which the ledger names neither person nor object: whether they needed your key is not known",
    "receipts": "receipts of requests whose names are erased, or kept from you",
    "others": "uses of keys in key servers whose logs are not here",
    "after": "uses that came after the end of the log that was given: it is a copy of before",
    "long": "uses by requests that began long before the interval",
}


def _room(use: Said) -> _Room:
    """Return how many calls account for a use. What failed may have failed before, between or after them."""
    wraps, unwraps = 0, 1
    if use.kind in WRAPS:
        # Whatever is wrapped is unwrapped again at once, and compared.
        wraps, unwraps = 1, 1
    elif use.kind == REENCRYPT:
        # One entry for each key that takes part: as the old one, the new one, or both.
        return _Room(use, {ENCRYPT: 0, DECRYPT: int(use.is_done)}, {ENCRYPT: 1, DECRYPT: 2})
    least = {ENCRYPT: wraps, DECRYPT: unwraps} if use.is_done else {ENCRYPT: 0, DECRYPT: 0}
    return _Room(use, least, {ENCRYPT: wraps, DECRYPT: unwraps})


def _objects_of(use: Said, request: Request | None) -> Sequence[Said]:
    """Return what says of which object a use was: the entry that carries it, else all entries of its request."""
    if use.carrier:
        return [use]
    return request.own if request else []


def _recorded_ms(change: Change) -> int:
    return change.recorded_ms


def _is_answer(said: Said, receipt: ClientReceipt) -> bool:
    """Tell whether an entry may be about what a client was answered. Where either shows no version, any may be meant."""
    if said.kind == DELETE_MANY and (receipt.key, receipt.status) == ("", 200):
        # Each key has an entry with an outcome of its own, the client has one answer for all.
        return said.bucket == receipt.bucket
    is_version = not receipt.version or said.version in {"", NULL, receipt.version}
    asked, told = (receipt.bucket, receipt.key, receipt.status), (said.bucket, said.object_key, said.status)
    return asked == told and is_version


def _is_about(call: Call, said: Said) -> bool:
    """Tell whether an entry may be about what a call was for. Where no version is shown, any may be meant."""
    return (said.bucket, said.object_key) == (call.bucket, call.object_key) and said.version in {"", NULL, call.version}
