import pytest
from tests.unit.customer.sealing.objects import ENEMY, KEY

from siegel.customer.sealing.names import open_name, seal_name
from siegel.customer.sealing.place import ObjectPlace
from siegel.customer.sealing.refusals import SealedObjectError, SealingError

FOLDER = ObjectPlace("evidence", "2026/", "111122223333")
SECRET = KEY.names_secret


def token(name: str, folder: ObjectPlace = FOLDER, secret: bytes = SECRET) -> str:
    return seal_name(secret, folder, name).object_key.removeprefix(folder.object_key)


@pytest.mark.parametrize("name", ["a", "clip.mp4", "ä/ö", "x" * 31, "x" * 32, "x" * 33, "odd \udcff"])
def test_a_sealed_name_opens_and_tells_nothing(name):
    sealed = token(name)
    assert open_name(SECRET, FOLDER, sealed) == name
    assert name not in sealed or len(name) == 1
    assert token(name) == sealed


def test_names_are_bound_to_key_account_bucket_and_folder():
    folders = [FOLDER, ObjectPlace("evidence", "2027/", "111122223333"), ObjectPlace("other", "2026/", "111122223333")]
    folders += [ObjectPlace("evidence", "2026/"), ObjectPlace("evidence", "", "111122223333")]
    tokens = [token("clip", folder) for folder in folders] + [token("clip", secret=ENEMY.names_secret)]
    assert len(set(tokens)) == len(tokens)
    for other in tokens[1:]:
        with pytest.raises(SealedObjectError, match="is not a name"):
            open_name(SECRET, FOLDER, other)


@pytest.mark.parametrize("planted", ["", "plain.txt", "AAAA", "ä", "A" * 43])
def test_what_is_no_token_is_no_name(planted):
    with pytest.raises(SealedObjectError, match="is not a name"):
        open_name(SECRET, FOLDER, planted)


@pytest.mark.parametrize("name", ["", "a\0", "x" * 800])
def test_names_that_cannot_be_sealed_are_refused(name):
    with pytest.raises(SealingError):
        token(name)
