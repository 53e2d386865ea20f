import os
import re

import pytest

from siegel.domain import ids
from siegel.domain.objects import CredentialKind


@pytest.mark.parametrize(("kind", "prefix"), [(CredentialKind.ROOT, "SGL"), (CredentialKind.OPERATOR, "SGO")])
def test_access_key_id_has_our_prefix_and_the_length_tools_expect(kind, prefix):
    made = {ids.make_access_key_id(kind, os.urandom(15)) for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(prefix + "[A-Z2-7]{17}", name) for name in made)


def test_the_key_of_a_user_has_a_prefix_of_its_own():
    assert re.fullmatch("SGK[A-Z2-7]{17}", ids.make_access_key_id(CredentialKind.USER, os.urandom(15)))


@pytest.mark.parametrize(("resource", "prefix"), [("user", "SGU"), ("group", "SGG"), ("role", "SGR"), ("policy", "SGP")])
def test_unique_ids_say_what_they_name(resource, prefix):
    made = {ids.make_unique_id(resource, os.urandom(15)) for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(prefix + "[A-Z2-7]{18}", name) for name in made)
    with pytest.raises(ValueError, match="random bytes are needed"):
        ids.make_unique_id(resource, b"short")


def test_secret_breaks_neither_url_nor_shell():
    made = {ids.make_secret(os.urandom(40)) for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch("[A-Za-z0-9]{40}", secret) for secret in made)


def test_account_id_is_twelve_digits_without_a_leading_zero():
    made = [ids.make_account_id(os.urandom(16)) for _ in range(200)]
    assert all(re.fullmatch("[1-9][0-9]{11}", name) for name in made)
    assert ids.make_account_id(bytes(16)) == "100000000000"


def test_the_same_bytes_give_the_same_name():
    random = bytes(range(40))
    assert ids.make_secret(random) == ids.make_secret(random)


@pytest.mark.parametrize("make", [lambda r: ids.make_access_key_id(CredentialKind.ROOT, r), ids.make_secret, ids.make_account_id])
def test_too_little_randomness_is_refused(make):
    with pytest.raises(ValueError, match="random bytes are needed"):
        make(b"short")
