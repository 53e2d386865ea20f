"""Consents at the box: what passes by one, and each way in which one does not do."""

import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.ledger.consenting import APPROVAL, AT_S, KEYS, REQUEST, SIGNERS, WITNESS, approval_note, evidence
from tests.unit.ledger.log import ORIGIN, Log, log_keys, policy_text, witness_key

from siegel.customer.keybox import consents as module
from siegel.customer.keybox.consentkeeper import ConsentKeeper
from siegel.customer.keybox.consentkeeper import log_keys as log_keys_of
from siegel.customer.keybox.consents import Consents, is_operators
from siegel.customer.keybox.content import Key
from siegel.customer.keybox.logfile import LogFile
from siegel.customer.keybox.policy import read_policy
from siegel.customer.keybox.refusals import RefusedError
from siegel.customer.keybox.uses import Use
from siegel.domain.errors import ConfigurationError, StorageError
from siegel.domain.moments import encode_time_ms
from siegel.ledger.consent_scope import Scope
from siegel.ledger.consents import Action
from siegel.ledger.handover import HandOver

ID = REQUEST.consent_id
PRINCIPAL = f"arn:aws:siegel:::support/{ID}/{REQUEST.person}"
OBJECT = {"account": REQUEST.account_id, "bucket": "film", "key": "case 7/video.mp4", "version": "v1"}
NOW_MS = (AT_S + 3600) * 1000
KEY = Key("key-id", "main", 0, bytes(32))


@pytest.fixture
def folder(tmp_path):
    shelf = tmp_path / "consents"
    shelf.mkdir()
    (shelf / "keys").write_bytes(KEYS.encode())
    (shelf / "policy").write_bytes(policy_text(witnesses=[WITNESS]))
    put(tmp_path, evidence())
    (tmp_path / "log.jsonl").touch()
    return tmp_path


def put(folder, data, name=ID):
    fresh = folder / "fresh"
    fresh.write_bytes(data)
    fresh.rename(folder / "consents" / name)


def use(operation="xks.decrypt", principal=PRINCIPAL, context=OBJECT, request_id="r1", **metadata):
    return Use("", operation, principal=principal, context=context, request_id=request_id, metadata=metadata)


def refusal(consents, asked=None, now_ms=NOW_MS):
    try:
        consents.admit(asked or use(), now_ms)
    except RefusedError as refused:
        return refused.message if refused.name == "AccessDeniedException" else repr(refused)
    return ""


@pytest.mark.parametrize(
    "asked",
    [
        use(),
        use(consentAction="read", consentId=ID, consentPerson=REQUEST.person),
        # Whoever may read may look at the head.
        use(consentAction="head"),
        use(context={**OBJECT, "key": "täglich/1.log"}),
        use("xks.metadata", context=None),
    ],
)
def test_what_was_consented_to_passes(folder, asked):
    assert refusal(Consents(folder), asked) == ""


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (use(context={**OBJECT, "key": "case 7/other.mp4"}), "other objects"),
        (use(context={**OBJECT, "bucket": "other"}), "other objects"),
        (use(context={"account": REQUEST.account_id, "bucket": "film"}), "other objects"),
        (use(context={**OBJECT, "account": "444455556666"}), "another account"),
        (use(context=None), "says not readably"),
        (use(context={"account": REQUEST.account_id}), "says not readably"),
        (use(principal=f"arn:aws:siegel:::support/{ID}/somebody.else"), f"it is for {REQUEST.person}"),
        (use(principal=f"arn:aws:siegel:::support/{ID}"), "names no consent"),
        (use(principal="arn:aws:siegel:::support/nonsense/jane"), "names no consent"),
        (use(principal="operator/AKIA"), "names no consent"),
        (use(principal="ARN:AWS:SIEGEL:::support/x/y"), "names no consent"),
        (use(principal="arn:aws:iam::111122223333:root", consentId=ID), "names no consent"),
        (use(consentId="0000000000000000"), "name different ones"),
        (use(consentPerson="somebody.else"), "name different ones"),
        (use("xks.encrypt"), "no consent permits xks.encrypt"),
        (use(principal=f"arn:aws:siegel:::support/{'0' * 16}/{REQUEST.person}"), "was given none"),
    ],
)
def test_whatever_else_is_refused(folder, asked, why):
    assert why in refusal(Consents(folder), asked)


@pytest.mark.parametrize(
    ("at_s", "why"),
    [(REQUEST.not_before_s, ""), (REQUEST.not_before_s - 1, "not valid yet"), (REQUEST.expires_s, "has expired")],
)
def test_a_consent_has_its_time(folder, at_s, why):
    told = refusal(Consents(folder), now_ms=at_s * 1000)
    assert why in told if why else not told


def test_what_was_narrowed_is_not_as_long_and_as_wide_as_was_asked(folder):
    narrow = replace(APPROVAL, expires_s=AT_S + 600, scope=(Scope("film", "täglich/1.log"),))
    put(folder, evidence(narrow))
    consents = Consents(folder)
    assert "other objects" in refusal(consents, now_ms=(AT_S + 599) * 1000)
    log = use(context={**OBJECT, "key": "täglich/1.log"})
    assert refusal(consents, log, (AT_S + 599) * 1000) == ""
    assert "has expired" in refusal(consents, log, (AT_S + 600) * 1000)


def test_a_revoked_consent_ends_with_the_next_call_and_one_that_comes_counts_from_it(folder):
    consents = Consents(folder)
    assert refusal(consents) == ""
    (folder / "consents" / f"{ID}.revoked").touch()
    assert "was revoked" in refusal(consents)
    (folder / "consents" / f"{ID}.revoked").unlink()
    (folder / "consents" / ID).unlink()
    assert "was given none" in refusal(consents)
    put(folder, evidence())
    assert refusal(consents) == ""


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "lacks" + "|this is no access|this is no consent evidence"),
        (evidence(note=approval_note(signers=SIGNERS[:1])), "1 of the customer's keys"),
        (evidence(witnesses=()), "lacks the quorum"),
        (evidence(witnesses=[witness_key(9)]), "lacks the quorum"),
        (evidence(kind="consent.request"), "not that of this consent's approval"),
        (evidence(content=bytes(32)), "about another approval"),
        (evidence(log_keys=log_keys("provider.example/444455556666")), "no trusted key of the log|another account"),
        (evidence(replace(APPROVAL, request=replace(REQUEST, consent_id="0" * 16))), "of another consent"),
        (evidence(note=approval_note(replace(APPROVAL, decided_at_s=AT_S + 61))), "about another approval"),
    ],
    ids=["empty", "k-of-n", "unwitnessed", "stranger", "kind", "content", "foreign-account", "replayed", "edited"],
)
def test_what_is_no_evidence_opens_nothing(folder, data, why):
    put(folder, data)
    told = refusal(Consents(folder))
    assert told
    assert any(each in told for each in why.split("|")), told


def test_no_changed_byte_of_the_evidence_grants_anything_else(folder):
    whole, consents, passed = evidence(), Consents(folder), 0
    for at in range(0, len(whole) - 1, 37):
        put(folder, whole[:at] + (b"A" if whole[at : at + 1] != b"A" else b"B") + whole[at + 1 :])
        if not refusal(consents):
            # One of the log's two signatures became somebody else's: that proves nothing, and the other one is enough.
            (held,) = consents.list()
            assert held.proven.approval == APPROVAL
            passed += 1
    assert passed < 10


@pytest.mark.parametrize("name", ["keys", "policy"])
def test_nothing_passes_without_what_is_pinned(folder, name):
    (folder / "consents" / name).unlink()
    assert f"consents/{name} is missing" in refusal(Consents(folder))
    put(folder, b"nonsense\n", name)
    assert refusal(Consents(folder))


def test_other_keys_and_a_policy_without_witnesses_are_not_enough(folder):
    put(folder, replace(KEYS, threshold=1, keys=(SIGNERS[2].verifier,)).encode(), "keys")
    assert "none of the customer's keys" in refusal(Consents(folder))
    put(folder, KEYS.encode(), "keys")
    put(folder, policy_text(witnesses=[]), "policy")
    assert "needs a quorum" in refusal(Consents(folder))


@pytest.mark.parametrize("actions", [(Action.LIST, Action.HEAD), (Action.LIST,), (Action.HEAD,)])
def test_no_data_key_is_opened_without_a_consent_to_read_whatever_the_caller_says_that_he_does(folder, actions):
    put(folder, evidence(replace(APPROVAL, request=replace(REQUEST, actions=actions))))
    consents = Consents(folder)
    for told in ("head", "read", "list", "whatever", ["head"], None):
        assert "does not permit to read" in refusal(consents, use(consentAction=told))
    assert "does not permit to read" in refusal(consents, use())


def many(number, **more):
    return use(request_id=f"r{number}", context={**OBJECT, "key": f"täglich/{number}"}, **more)


def test_whoever_says_that_he_looks_at_heads_alone_opens_no_more_objects_than_he_may_read(folder):
    consents = Consents(folder)
    for number in range(3):
        assert refusal(consents, many(number, consentAction="head")) == ""
    assert "3 reads" in refusal(consents, many(3, consentAction="head"))
    assert "3 reads" in refusal(consents, many(3))
    # A head, and then the object of that head, are one read; and again a head of it.
    for number in range(3):
        assert refusal(consents, many(number)) == ""
        assert refusal(consents, many(number, consentAction="head")) == ""
    assert "3 reads" in refusal(consents, use(request_id="again", context={**OBJECT, "key": "täglich/1"}))


def test_heads_are_counted_also_those_before_a_start(folder):
    log = LogFile(folder / "log.jsonl")
    for place, each in enumerate([many(1), many(1, consentAction="head"), many(2, consentAction="head")]):
        each.at, each.result = encode_time_ms((AT_S + 70) * 1000 + place), "ok"
        log.append([each.entry()])
    log.close()
    consents = Consents(folder)
    assert refusal(consents, many(3, consentAction="head")) == ""
    assert "3 reads" in refusal(consents, many(4, consentAction="head"))
    assert refusal(consents, many(2)) == ""


def test_reads_are_counted_by_requests_also_those_before_a_start(folder):
    consents = Consents(folder)
    for request in ("r1", "r1", "r2", "r2", "r1"):
        assert refusal(consents, use(request_id=request)) == ""
    assert refusal(consents, use(request_id="h", consentAction="head")) == ""
    assert refusal(consents, use(request_id="r3")) == ""
    assert "3 reads, and they are used up" in refusal(consents, use(request_id="r4"))
    # One request for many objects is many reads.
    assert "3 reads" in refusal(consents, use(request_id="r1", context={**OBJECT, "key": "täglich/1.log"}))
    assert "3 reads" in refusal(consents, use(request_id="r1", context={**OBJECT, "version": "v2"}))
    assert module._version_of(use()) != module._version_of(use(context={**OBJECT, "bucket": "other"}))
    assert refusal(consents, use(request_id="r3")) == ""

    log = LogFile(folder / "log.jsonl")
    other = use(request_id="r9", principal="arn:aws:iam::111122223333:root", note=PRINCIPAL)
    before = use(request_id="r0")
    told = [
        before,
        other,
        *(use(request_id=name) for name in ("r1", "r2", "r2", "r3", "r5")),
        use(request_id="r6", consentAction="head"),
        use(request_id="r7", consentAction="head", context={**OBJECT, "version": "v2"}),
    ]
    for place, each in enumerate(told):
        each.at = encode_time_ms((AT_S + 70) * 1000 + place if each is not before else (AT_S - 60) * 1000)
        each.result = "ok" if each.request_id not in {"r5", "r7"} else "AccessDeniedException"
        log.append([each.entry()])
    log.close()
    with (folder / "log.jsonl").open("ab") as stream:
        stream.write(b'{"v":1,' + PRINCIPAL.encode())
    fresh = Consents(folder)
    assert refusal(fresh, use(request_id="r2")) == ""
    assert "3 reads" in refusal(fresh, use(request_id="r4"))
    (folder / "log.jsonl").unlink()
    assert "cannot be counted" in refusal(Consents(folder))


def test_one_line_of_a_wrong_clock_hides_no_reads(folder):
    log = LogFile(folder / "log.jsonl")
    for number in range(3):
        log.append([replace(many(number), at=encode_time_ms((AT_S + 70 + number) * 1000), result="ok").entry()])
    for other in (use(request_id="early"), use(principal="arn:aws:iam::111122223333:root")):
        # The machine begins with a clock of long before.
        log.append([replace(other, at=encode_time_ms(1_000_000), result="AccessDeniedException").entry()])
    log.close()
    consents = Consents(folder)
    assert "3 reads, and they are used up" in refusal(consents, many(3))
    assert refusal(consents, many(2)) == ""


# The log's keys change.

OLD, NEW, THIRD = log_keys(), log_keys(number=1), log_keys(number=2)
LATER = evidence(log_keys=NEW)


def hand_over(old=OLD, new=NEW, witnesses=(WITNESS,), signers=None):
    statement = HandOver(ORIGIN, tuple(key.verifier for key in old), tuple(key.verifier for key in new)).encode()
    log = Log([b"a", b"b", statement], [*old, *new] if signers is None else signers)
    return log.proof_file(2, statement, witnesses=witnesses)


def put_hand_over(folder, data, number=0):
    (folder / "consents" / "handover").mkdir(exist_ok=True)
    put(folder, data, f"handover/{number:03d}")


def test_what_was_signed_before_and_after_a_hand_over_counts(folder):
    consents = Consents(folder)
    assert refusal(consents) == ""
    put_hand_over(folder, hand_over())
    assert refusal(consents) == ""
    put(folder, LATER)
    assert refusal(consents) == ""
    put(folder, evidence(log_keys=THIRD))
    assert "no trusted key of the log" in refusal(consents)
    put_hand_over(folder, hand_over(NEW, THIRD), 1)
    assert refusal(consents) == ""
    (folder / "consents" / "handover" / "000").unlink()
    assert "no trusted key of the log" in refusal(consents)


@pytest.mark.parametrize(
    "data",
    [
        hand_over(witnesses=()),
        hand_over(witnesses=[witness_key(9)]),
        hand_over(signers=NEW),
        hand_over(signers=OLD),
        hand_over(THIRD, NEW),
        b"nonsense",
    ],
    ids=["unwitnessed", "stranger", "new-keys-alone", "old-keys-alone", "from-unknown-keys", "nonsense"],
)
def test_a_hand_over_that_does_not_hold_leads_nowhere(folder, data):
    put(folder, LATER)
    consents = Consents(folder)
    for prepare in (lambda: None, lambda: put_hand_over(folder, data)):
        prepare()
        assert "no trusted key of the log" in refusal(consents)
    put(folder, evidence())
    assert refusal(consents) == ""


@pytest.fixture
def keeper(folder):
    (folder / "box.sealed").touch()
    (folder / "log.jsonl").unlink()
    return ConsentKeeper(folder, lambda: NOW_MS)


def lines(folder):
    read = (msgspec.json.decode(line) for line in (folder / "log.jsonl").read_bytes().splitlines())
    return [(line["operation"], line["result"], line.get("key_id", "")) for line in read]


def test_the_box_follows_once_and_its_log_tells_of_it(keeper, folder):
    files = [hand_over(THIRD, OLD), b"nonsense", hand_over(), hand_over(NEW, THIRD, witnesses=())]
    policy, taken = keeper.follow(files)
    assert (taken, [line.verifier for line in policy.logs]) == (1, [key.verifier for key in NEW])
    told = " ".join(f"{ORIGIN}+{key.verifier.key_id.hex()}" for key in NEW)
    assert log_keys_of(policy) == told.split(" ")
    assert lines(folder) == [("box.consent-follow", "begun", told), ("box.consent-follow", "ok", told)]
    assert keeper.follow(files)[1] == 0
    assert len(lines(folder)) == 2
    assert keeper.add(LATER).approval == APPROVAL
    assert keeper.follow([*files, hand_over(NEW, THIRD)])[1] == 1
    assert sorted(path.name for path in (folder / "consents" / "handover").iterdir()) == ["000", "001"]
    assert keeper.add(evidence()).approval == APPROVAL


def test_a_consent_that_needs_it_leads_the_box_on_and_no_other_does(keeper, folder):
    asked = []

    def hand_overs():
        asked.append(True)
        return [hand_over()]

    keeper.add(evidence(), hand_overs)
    assert not asked
    with pytest.raises(ConfigurationError, match="no trusted key of the log"):
        keeper.add(LATER)
    with pytest.raises(ConfigurationError, match=r"no trusted key.*cannot be had: the disk"):
        keeper.add(LATER, failing)
    assert keeper.add(LATER, hand_overs).approval == APPROVAL
    with pytest.raises(ConfigurationError, match="1 of the customer's keys"):
        keeper.add(evidence(note=approval_note(signers=SIGNERS[:1])), hand_overs)
    assert [each[0] for each in lines(folder)].count("box.consent-follow") == 2


def failing():
    raise StorageError("the disk")


def test_the_place_of_the_ledger_is_pinned_with_the_rest(keeper, folder):
    assert keeper.place == ""
    keeper.trust(KEYS.encode(), policy_text(witnesses=[WITNESS]), "/srv/audits/ledger")
    assert keeper.place == "/srv/audits/ledger"
    keeper.trust(KEYS.encode(), policy_text(witnesses=[WITNESS]))
    assert keeper.place == ""
    (folder / "consents" / "policy").unlink()
    with pytest.raises(ConfigurationError, match="consents/policy is missing"):
        keeper.follow([hand_over()])


def test_the_box_lists_what_it_was_given(folder):
    put(folder, b"nonsense", "f" * 16)
    (folder / "consents" / f"{ID}.revoked").touch()
    held = Consents(folder).list()
    assert [(one.consent_id, one.state_at(NOW_MS)) for one in held] == [(ID, "revoked"), ("f" * 16, "invalid")]
    (folder / "consents" / f"{ID}.revoked").unlink()
    (one,) = (each for each in Consents(folder).list() if each.consent_id == ID)
    states = [one.state_at((AT_S + at) * 1000) for at in (-1, 0, 28_800)]
    assert states == ["waiting", "live", "expired"]
    assert Consents(folder / "nowhere").list() == []


def test_nothing_is_remembered_of_consents_that_are_not_there(folder):
    consents = Consents(folder)
    for number in range(10):
        refusal(consents, use(principal=f"arn:aws:siegel:::support/{number:016x}/jane"))
    assert (refusal(consents), list(consents._kept)) == ("", [ID])
    (folder / "consents" / ID).unlink()
    assert "was given none" in refusal(consents)
    assert not consents._kept


def test_reads_that_wait_for_the_disk_are_counted_whatever_else_is_asked_meanwhile(folder):
    """Their lines are not in the log yet: what was counted of them is all that is known."""
    consents = Consents(folder)
    for number in range(3):
        assert refusal(consents, many(number)) == ""
        for other in range(1001):
            refusal(consents, use(principal=f"arn:aws:siegel:::support/{other:016x}/jane"))
    assert "3 reads, and they are used up" in refusal(consents, many(3))
    (folder / "consents" / ID).unlink()
    assert "was given none" in refusal(consents, many(3))
    put(folder, evidence())
    assert "3 reads, and they are used up" in refusal(consents, many(3))


@pytest.mark.parametrize("text", ["#\n", 'principals = ["*"]\n', '[keys.other]\nconsents = "required"\n'])
def test_without_the_policys_word_nobody_of_the_providers_passes(text):
    with pytest.raises(RefusedError, match="nobody of the provider's"):
        read_policy(text).admit(use(), KEY, NOW_MS)
    read_policy(text).admit(use(principal="arn:aws:iam::111122223333:root"), KEY, NOW_MS)


@pytest.mark.parametrize("text", ['consents = "required"\n', '[keys.main]\nconsents = "required"\n'])
def test_with_it_the_other_rules_still_count(text):
    read_policy(text).admit(use(), KEY, NOW_MS)
    with pytest.raises(RefusedError, match="principals"):
        read_policy(f'principals = ["arn:aws:iam::*"]\n{text}').admit(use(), KEY, NOW_MS)


def test_who_is_of_the_providers():
    assert all(map(is_operators, (use(), use(principal="operator/A"), use(principal="x", consentId=""))))
    assert not is_operators(use(principal="arn:aws:iam::111122223333:user/operator"))
    assert msgspec.to_builtins(use())
