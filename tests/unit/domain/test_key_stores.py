import pytest
from msgspec.structs import replace

from siegel.domain.errors import StorageError
from siegel.domain.key_stores import ConnectionState, KeyStore, Proxy
from siegel.domain.records import decode_document, encode_document

STORED = "9c01a3 636b73 a1 6e 05 a1 65 a1 70 a1 61 c401 73 a1 63 a9 434f4e4e4543544544 a0 06".replace(" ", "")
STORE = KeyStore(
    store_id="cks",
    name="n",
    created_at_ms=5,
    endpoint="e",
    uri_path="p",
    access_key_id="a",
    sealed_secret=b"s",
    trust_pem="c",
    state=ConnectionState.CONNECTED,
    renewed_at_ms=6,
)
# As a key store rested before it was said since when it is connected.
EARLIER = "9b" + STORED[2:-2]


def test_a_key_store_rests_as_the_page_says():
    assert encode_document(STORE).hex() == STORED
    assert decode_document(bytes.fromhex(STORED), KeyStore) == STORE
    assert decode_document(bytes.fromhex(EARLIER), KeyStore) == replace(STORE, renewed_at_ms=0)
    with pytest.raises(StorageError):
        decode_document(bytes.fromhex(STORED.replace("434f4e4e4543544544", "434f4e4e4543544545")), KeyStore)


def test_a_key_store_is_connected_or_its_keys_are_not_used():
    assert STORE.is_connected
    assert not KeyStore().is_connected
    assert not KeyStore(state=ConnectionState.FAILED).is_connected


def test_a_proxy_shows_no_secret():
    assert "hidden" not in repr(Proxy("https://box/kms/xks/v1", "AKID", "hidden", ""))
