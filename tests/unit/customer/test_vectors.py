"""The vectors beside the format page are what this code makes and opens, and every bad one is refused."""

import json
from pathlib import Path

import msgspec
import pytest

from siegel.customer.keybox.boxfile import Effort, Header, Unlocking, derive_sealing_key, open_box, read_header, seal_box
from siegel.customer.keybox.certificates import certify, public_key_of, verify_certificate
from siegel.customer.keybox.chain import EMPTY, check, link
from siegel.customer.keybox.ciphers import Sealed, integrity_value, key_of_blob, open_blob, open_xks, seal_blob, seal_xks
from siegel.customer.keybox.content import Content
from siegel.customer.keybox.refusals import RefusedError
from siegel.domain.errors import SealBrokenError

FOLDER = Path(__file__).parents[2] / "vectors" / "keybox"


def load(name, kind):
    vectors = json.loads((FOLDER / f"{name}.json").read_text())
    assert vectors[kind]
    if kind == "good":
        return vectors["good"]
    return [pytest.param(vectors["good"][bad["of"]] | bad["change"], id=bad["why"]) for bad in vectors["bad"]]


def hexed(vector, *names):
    return [bytes.fromhex(vector[name]) for name in names]


def sealed_of(vector):
    return Sealed(*hexed(vector, "ciphertext", "iv", "tag", "metadata"))


@pytest.mark.parametrize("vector", load("xks", "good"))
def test_xks(vector):
    key, plaintext, aad, randomness, cdiv = hexed(vector, "key", "plaintext", "aad", "randomness", "cdiv")
    sealed = sealed_of(vector)
    assert seal_xks(key, plaintext, aad, randomness) == sealed
    assert open_xks(key, sealed, aad) == plaintext
    assert integrity_value(sealed, aad) == cdiv


@pytest.mark.parametrize("vector", load("xks", "bad"))
def test_bad_xks(vector):
    with pytest.raises(RefusedError, match="InvalidCiphertextException"):
        open_xks(bytes.fromhex(vector["key"]), sealed_of(vector), bytes.fromhex(vector["aad"]))


@pytest.mark.parametrize("vector", load("blob", "good"))
def test_blob(vector):
    key, plaintext, randomness, blob = hexed(vector, "key", "plaintext", "randomness", "blob")
    assert seal_blob(key, vector["key_id"], plaintext, vector["context"], randomness) == blob
    assert key_of_blob(blob) == vector["key_id"]
    assert open_blob(key, blob, vector["context"]) == plaintext


@pytest.mark.parametrize("vector", load("blob", "bad"))
def test_bad_blob(vector):
    key, blob = hexed(vector, "key", "blob")
    with pytest.raises(RefusedError, match="InvalidCiphertextException"):
        open_blob(key, blob, vector["context"] if key_of_blob(blob) else {})


def header_of(vector):
    effort = Effort(vector["iterations"], vector["memory_kib"], vector["lanes"])
    return Header(Unlocking(vector["unlocking"]), effort, bytes.fromhex(vector["salt"]))


@pytest.mark.parametrize("vector", load("box", "good"))
def test_box(vector):
    secret, sealing_key, nonce, file = hexed(vector, "secret", "sealing_key", "nonce", "file")
    header = header_of(vector)
    content = msgspec.convert(vector["content"], Content)
    assert read_header(file) == header
    assert derive_sealing_key(header, secret) == sealing_key
    assert open_box(file, sealing_key) == content
    assert seal_box(content, header, sealing_key, nonce) == file


@pytest.mark.parametrize("vector", load("box", "bad"))
def test_bad_box(vector):
    secret, file = hexed(vector, "secret", "file")
    with pytest.raises(SealBrokenError):
        open_box(file, derive_sealing_key(read_header(file), secret))


@pytest.mark.parametrize("vector", load("log", "good"))
def test_log(vector):
    head = EMPTY
    for entry, line, hashed in zip(vector["entries"], vector["lines"], vector["hashes"], strict=True):
        made, head = link(head, entry.encode())
        assert made == line.encode()
        assert head.hash == hashed
    lines = [line.encode() for line in vector["lines"]]
    assert check(lines).head == head
    assert all(check(lines, hashed).holds for hashed in [EMPTY.hash, *vector["hashes"]])
    assert not check(lines, "f" * 64).holds


@pytest.mark.parametrize("vector", json.loads((FOLDER / "log.json").read_text())["bad"], ids=lambda vector: vector["why"])
def test_bad_log(vector):
    finding = check([line.encode() for line in vector["lines"]])
    assert not finding.holds
    assert finding.broken_at == vector["broken_at"]
    assert finding.problem
    assert finding.head.seq == vector["broken_at"] - 1


@pytest.mark.parametrize("vector", load("certificate", "good"))
def test_certificate(vector):
    content = msgspec.convert(load("box", "good")[0]["content"], Content)
    assert content.signing_seed.hex() == vector["signing_seed"]
    assert public_key_of(content) == vector["public_key"]
    made = certify(content, content.destroyed[0])
    assert json.loads(made) == vector["certificate"]
    assert verify_certificate(made, vector["public_key"])["key_id"] == content.destroyed[0].key_id


@pytest.mark.parametrize("bad", json.loads((FOLDER / "certificate.json").read_text())["bad"], ids=lambda bad: bad["why"])
def test_bad_certificate(bad):
    vector = load("certificate", "good")[bad["of"]]
    with pytest.raises(SealBrokenError):
        verify_certificate(json.dumps(vector["certificate"] | bad["change"]).encode(), vector["public_key"])


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"[" * 100_000, b"\xff"])
def test_what_is_no_certificate(data):
    with pytest.raises(SealBrokenError):
        verify_certificate(data, "x")


def test_the_integrity_value_of_the_specification():
    """Appendix C of the XKS proxy API specification."""
    aad = b"project=nile,department=marketing"
    sealed = Sealed(
        bytes.fromhex("821c642b5b71783367deaf18"),
        bytes.fromhex("1ccae5470f39700254779031"),
        bytes.fromhex("bc1c4dda7707d6812447c5955e99b261"),
        b"key_version=1",
    )
    expected = "a8703f2260bd8791ec2d15ea0b23e65a0631eedcf2a13a65cc82db3f47cf5ec7"
    assert integrity_value(sealed, aad).hex() == expected
