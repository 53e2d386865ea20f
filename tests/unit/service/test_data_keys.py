"""What S3 remembers of keys: for one generation, until its material expires, and in bounded memory."""

from siegel.domain.wrapping_keys import WrappingKey
from siegel.envelope.objectkeys import Flags, Settings, encode_settings
from siegel.service.kms.datakeys import REMEMBERED_BYTES_MAX, DataKeys
from siegel.service.kms.views import KeyView

OWN = "111122223333"
KEY_ID = "0b1c2d3e-0000-4000-8000-00000000000a"


class Keys:
    """A KeyDirectory of one key."""

    def __init__(self):
        self.number = 2
        self.is_over = False
        self.view = KeyView(OWN, WrappingKey(key_id=KEY_ID), None, (), {})

    def generation(self):
        return self.number

    def find(self, _account_id, _key_id):
        return self.view

    def has_expired(self, _view):
        return self.is_over


def remembered(data_keys, context):
    settings = Settings(OWN, KEY_ID, Flags.NONE, context)
    encoded = encode_settings(settings)
    found = data_keys.protection(encoded)
    assert (found.settings, found.generation) == (settings, 2)
    return data_keys.protection(encoded) is found


def test_a_key_is_remembered_for_a_generation_and_as_long_as_its_material_lasts():
    keys = Keys()
    data_keys = DataKeys(keys, {}, "eu-central-1")
    assert remembered(data_keys, {})
    keys.is_over = True
    assert not remembered(data_keys, {})
    encoded = encode_settings(Settings(OWN, KEY_ID, Flags.NONE, {}))
    keys.is_over, known = False, data_keys.protection(encoded)
    keys.number = 4
    assert data_keys.protection(encoded) is not known


def test_long_encryption_contexts_fill_no_memory():
    data_keys = DataKeys(Keys(), {}, "eu-central-1")
    assert remembered(data_keys, {"department": "ten"})
    assert not remembered(data_keys, {"x": "y" * REMEMBERED_BYTES_MAX})
