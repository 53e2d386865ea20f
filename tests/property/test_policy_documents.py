"""Whatever stands in a document, it is a policy or it is refused with a reason; nothing else ever happens."""

import json
import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from siegel.access.bucket_policy import check_bucket_policy
from siegel.access.policy import PolicyKind, parse_policy
from siegel.domain.errors import PolicyError
from tests.property.policy_cases import Scene

TELLING = ["", "*", "Allow", "s3:*", "arn:aws:s3:::", "${", "${aws:x}", "${*}", "2026", "::/0", "\ud800", "\u0663"]
texts = st.sampled_from(TELLING) | st.text(max_size=8)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def nodes(value, path=()):
    """Return the paths of all places in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for name, one in inner for deeper in nodes(one, (*path, name)))]


def judge(text, kind):
    """Read a document; either there are statements, or a reason why not."""
    try:
        parsed = parse_policy(text, kind)
        if kind is PolicyKind.BUCKET:
            check_bucket_policy(parsed, "photos")
        found = parsed.statements.all
    except PolicyError as error:
        found = str(error)
    assert len(found) > 0


@given(st.integers(0, 200), st.sampled_from(PolicyKind), st.integers(0, 10**6), values)
def test_a_document_with_anything_in_one_place_is_a_policy_or_refused(seed, kind, place, anything):
    scene = Scene(random.Random(seed), Counter())
    document = json.loads(scene._document(kind.name))
    places = nodes(document)
    *path, last = places[place % len(places)] or (None,)
    if last is None:
        document = anything
    else:
        at = document
        for name in path:
            at = at[name]
        at[last] = anything
    judge(json.dumps(document), kind)


@given(st.text(), st.sampled_from(PolicyKind))
def test_any_text_is_a_policy_or_refused(text, kind):
    judge(text, kind)


@given(values, st.sampled_from(PolicyKind))
def test_any_json_is_a_policy_or_refused(value, kind):
    judge(json.dumps(value), kind)
