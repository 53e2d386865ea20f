"""Permits that were given for the tags of one version are good for no other."""

from types import SimpleNamespace
from typing import Any

import pytest

from siegel.access.caller import ANONYMOUS
from siegel.access.decide import Permit
from siegel.domain.errors import AccessDeniedError, ConditionalRequestConflictError
from siegel.web.decided import find_decided, require_decided_on


def permits_of(*tags_of):
    return tuple(Permit(ANONYMOUS, "s3:GetObject", "111122223333", "a statement", of) for of in tags_of)


class Scene:
    """Versions come one after the other, one for each look, the last one for good."""

    def __init__(self, *versions, first, denied=()):
        self.versions = [SimpleNamespace(version_id=version) for version in versions]
        self.denied = denied
        self.decisions = 0
        request = SimpleNamespace(object_key="k", query={})
        self.call: Any = SimpleNamespace(
            request=request, permits=permits_of(first), bucket=None, verified=None, caller=None, route=None
        )
        self.cases: Any = SimpleNamespace(getter=self, gate=self)

    def _now(self):
        return self.versions.pop(0) if len(self.versions) > 1 else self.versions[0]

    def find(self, _bucket, _key, _version_id, *, with_body):
        assert with_body
        return self._now()

    def admit(self, *_):
        self.decisions += 1
        now = self._now().version_id
        if now in self.denied:
            raise AccessDeniedError
        return permits_of(None, now)

    def read(self):
        return find_decided(self.cases, self.call).version_id


@pytest.mark.parametrize("first", [None, b"1"])
def test_what_was_decided_on_is_read_at_once(first):
    scene = Scene(b"1", first=first)
    assert (scene.read(), scene.decisions) == (b"1", 0)


@pytest.mark.parametrize("first", [b"", b"0"])
def test_another_version_than_was_decided_on_is_decided_on(first):
    scene = Scene(b"1", first=first)
    assert (scene.read(), scene.decisions) == (b"1", 1)


def test_it_is_refused_if_it_may_not_be_read():
    with pytest.raises(AccessDeniedError):
        Scene(b"secret", first=b"own", denied={b"secret"}).read()


def test_where_versions_come_all_the_time_the_client_tries_again():
    with pytest.raises(ConditionalRequestConflictError):
        Scene(*(b"%d" % number for number in range(100)), first=b"own").read()


def test_a_change_of_another_version_than_was_decided_on_is_undone():
    version: Any = SimpleNamespace(version_id=b"1")
    require_decided_on(permits_of(None, b"1"), version)
    with pytest.raises(ConditionalRequestConflictError):
        require_decided_on(permits_of(b"1", b"2"), version)
