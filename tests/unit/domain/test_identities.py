import msgspec
import pytest

from siegel.domain.errors import StorageError
from siegel.domain.identities import (
    Group,
    KeyUse,
    ManagedPolicy,
    OidcProvider,
    PolicyVersion,
    Role,
    UniqueName,
    User,
    entity_arn,
    name_key,
    provider_name,
)
from siegel.domain.records import decode_document, encode_document

PAIRS = (("k", "v"),)
VECTORS = {
    "9a01a1 75a1 2fa1 5505 90 90 90 a0 90": User(name="u", path="/", unique_id="U", created_at_ms=5),
    "9701a1 67a1 2fa1 4705 90 91a1 61": Group(name="g", unique_id="G", created_at_ms=5, attached=("a",)),
    "9d01a1 72a1 2fa1 5205 90 90 90 a0 a1 54 90 a0 cd0e10": Role(name="r", unique_id="R", created_at_ms=5, trust_text="T"),
    "9b01a1 70a1 2fa1 500506 a0 0101 9193 01a1 5405 90": ManagedPolicy(
        name="p", unique_id="P", created_at_ms=5, updated_at_ms=6, versions=(PolicyVersion(1, "T", 5),)
    ),
    "9801a1 69a1 2f05a9 68747470733a2f2f69 91a1 61 90 90": OidcProvider(
        name="i", created_at_ms=5, url="https://i", client_ids=("a",)
    ),
    "9401a1 31a4 75736572a1 75": UniqueName(account_id="1", kind="user", name="u"),
    "940105a2 7333a1 72": KeyUse(at_ms=5, service="s3", region="r"),
}


@pytest.mark.parametrize(("stored", "document"), VECTORS.items(), ids=lambda value: type(value).__name__)
def test_documents_rest_as_the_page_says(stored, document):
    assert encode_document(document).hex() == stored.replace(" ", "")
    assert decode_document(bytes.fromhex(stored), type(document)) == document


@pytest.mark.parametrize(
    "document",
    [
        User(name="u", inline=PAIRS, attached=("a",), tags=PAIRS, boundary="b", groups=("g",)),
        Group(name="g", inline=PAIRS),
        Role(name="r", inline=PAIRS, tags=PAIRS, trust_text="T", trust_bindings=PAIRS, description="d", session_s_max=7200),
        OidcProvider(name="i/a", url="https://i/a", client_ids=("a", "b"), thumbprints=("0",), tags=PAIRS),
        ManagedPolicy(name="p", versions=(PolicyVersion(2, "T", 1), PolicyVersion(4, "U", 2)), default_number=4, last_number=4),
    ],
)
def test_documents_come_back_whole(document):
    assert decode_document(encode_document(document), type(document)) == document


@pytest.mark.parametrize("stored", [b"", msgspec.msgpack.encode([2, "u"]), msgspec.msgpack.encode([1, 5]), b"\x9a\x01"])
def test_t33_a_user_that_cannot_be_read_is_never_taken_for_absent(stored):
    with pytest.raises(StorageError):
        decode_document(stored, User)


def test_names_that_differ_in_case_only_are_one_name():
    assert name_key("Bob") == name_key("bOB") == "bob"
    assert provider_name("https://idp.example:8443/a") == "idp.example:8443/a"
    assert entity_arn("111122223333", "user", "/staff/", "Bob") == "arn:aws:iam::111122223333:user/staff/Bob"
