"""Who was there is told of every entry, whoever it was."""

from tests.unit.customer.ledgers import entry, opening

from siegel.customer.audit import visitors
from siegel.customer.audit.openings import Line
from siegel.customer.audit.visitors import HIDDEN, OTHERS, Visitor, count_visitors
from siegel.ledger.leaves import Facts, Leaf, Opening, decode_leaf


def line(number, who="alice", **more):
    return Line(number, decode_leaf(entry(number, 1000 + number)), opening(number, who), **more)


def refused(number, who="alice", source="192.0.2.7"):
    leaf = Leaf((1000 + number) * 1000, "", Facts(0, "object.read", 403, b"", b""))
    return Line(number, leaf, Opening(bytes(32), f"arn:aws:iam::1:user/{who}", source, "", "", ""))


def test_each_principal_is_counted_with_its_times_and_addresses():
    found = count_visitors([line(3), line(1), refused(2), refused(5, "bob", "")])
    assert found == [
        Visitor("arn:aws:iam::1:user/alice", 2, 1, 1_001_000, 1_003_000, ["192.0.2.7"]),
        Visitor("arn:aws:iam::1:user/bob", 0, 1, 1_005_000, 1_005_000, []),
    ]


def test_who_is_not_shown_or_shown_wrongly_is_told_too():
    hidden = Line(1, decode_leaf(entry(1, 1000)), None)
    (found,) = count_visitors([hidden, line(2, problem="the opening names another person than the entry"), Line(3, None)])
    assert (found.principal, found.times) == (HIDDEN, 2)


def test_many_principals_and_addresses_fill_no_memory(monkeypatch):
    monkeypatch.setattr(visitors, "VISITORS_MAX", 2)
    monkeypatch.setattr(visitors, "SOURCES_MAX", 3)
    found = count_visitors([refused(number, f"user{number % 5}", f"192.0.2.{number}") for number in range(20)])
    assert [(one.principal, one.refused) for one in found] == [
        (OTHERS, 12),
        ("arn:aws:iam::1:user/user0", 4),
        ("arn:aws:iam::1:user/user1", 4),
    ]
    assert all(len(one.sources) == 3 for one in found)
