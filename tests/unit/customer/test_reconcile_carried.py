"""Uses of keys that entries of objects carry: beside such that have entries of their own, and what one entry says of both."""

from tests.unit.customer.two_books import KEY, OTHER, words

from siegel.customer.audit.balance import Kind


def test_a_ledger_that_has_both_forms_balances(story):
    story.carries = not story.carries
    story.write(("photos", "later", "v9"))
    story.read(("photos", "later", "v9"))
    story.read(call=story.read())
    story.publish()
    found = story.balance()
    assert (found.mismatches, found.said) == ([], [])
    assert (found.counts.unwraps, found.counts.wraps, found.counts.uses, found.counts.leases) == (6, 2, 8, 2)


def test_a_use_that_is_told_in_both_forms_states_a_call_too_many(story):
    request = story.read()
    story.of(request)[0] |= {"keys": (KEY,), "call": request}
    story.carries = False
    if len(story.of(request)) == 1:
        story.use(request)
    assert words(story.told()) == [("missing", "the ledger says that the key server was asked")]


def test_the_entry_that_carries_a_use_is_the_evidence(story):
    request = story.read()
    story.carries = True
    story.lines = [one for one in story.lines if one["request_id"] != request]
    story.line(story.write(("photos", "other", "v2")), "decrypt", result="AccessDeniedException")
    story.publish()
    (found,) = story.balance().mismatches
    kind = "object.read 200" if len(story.of(request)) == 1 else "kms.decrypt 200"
    assert (found.evidence["kind"], found.evidence["key"], found.evidence["object"]) == (kind, KEY, "photos/film.mp4")


def copy(story, source=None, target=None):
    """A copy by leases; each of its entries carries the use for its own object."""
    first, place = story.read(), ("photos", "copy", "v4")
    second = story.write(place, key=OTHER)
    request = story.begin()
    story.entry(request, "object.read", keys=(KEY,), call=source or first, reason="copy source")
    story.entry(request, "object.copy", place, keys=(OTHER,), call=target or second)
    return story.told(receipts=False)


def test_each_entry_of_a_copy_carries_its_own_use(story):
    assert copy(story) == []


def test_a_use_is_about_the_object_of_the_entry_that_carries_it(story):
    """The copy's entry names the other object: that does not count for the source's."""
    place = ("photos", "copy", "v4")
    request = story.write(place)
    ((kind, message),) = copy(story, source=request)
    assert (kind, "rests on a call for another object" in message) == ("altered", True)


def test_a_key_in_an_entry_that_can_carry_no_use_counts_for_nothing(story):
    request = story.begin()
    story.line(request, "decrypt")
    story.entry(request, "object.delete", keys=(KEY,), call=request)
    ((kind, message),) = story.told()
    assert (kind, "more often than the ledger says" in message) == (Kind.EXTRA, True)


def test_writes_by_forms_count_whatever_answers_them(story):
    place = ("minutes", "form", "null")
    for status in (201, 303):
        story.write(place, "null")
        story.entry(story.begin(5000), "object.write", place, status=status)
        story.entry(story.begin(5000), "object.read", place)
    assert story.told() == []
