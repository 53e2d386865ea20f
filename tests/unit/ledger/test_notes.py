"""Notes and the signatures below them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.ledger.log import ORIGIN, log_keys, signer, witness_key

from siegel.domain.ledgers import LedgerFormError, UnsignedError
from siegel.ledger.checkpoints import Checkpoint, parse_checkpoint
from siegel.ledger.hashing import EMPTY_ROOT
from siegel.ledger.keys import TIME_S_MAX, Algorithm, SignerKey, VerifierKey, parse_verifier
from siegel.ledger.notes import NOTE_BYTES_MAX, SIGNATURES_MAX, NoteSignature, SignedNote, parse_note, parse_signatures
from siegel.ledger.signed_checkpoints import add_signatures, open_checkpoint, sign_checkpoint

HEAD = Checkpoint(ORIGIN, 7, bytes(range(32)))
KEYS = [*log_keys(), witness_key(), witness_key(0, Algorithm.ML_DSA_44)]
AT_S = 1_800_000_000
NOTE = sign_checkpoint(HEAD, KEYS, AT_S)


def test_all_kinds_of_keys_sign_and_are_known_again():
    opened = open_checkpoint(NOTE, [key.verifier for key in KEYS])
    assert opened.checkpoint == HEAD
    assert opened.note == parse_note(NOTE)
    assert [opened.signed[key.verifier] for key in KEYS] == [0, AT_S, AT_S, AT_S]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key.name} {key.algorithm}")
def test_every_changed_byte_below_and_above_is_noticed(key):
    line = key.sign(HEAD, AT_S)
    for place in range(0, len(line.signature), 1 if len(line.signature) < 100 else 101):
        broken = bytearray(line.signature)
        broken[place] ^= 1
        with pytest.raises(UnsignedError, match="does not fit"):
            key.verifier.check(NoteSignature(line.name, line.key_id, bytes(broken)), HEAD)
    for size in {0, 7, 8, 9, 63, len(line.signature) - 1}:
        with pytest.raises(UnsignedError):
            key.verifier.check(NoteSignature(line.name, line.key_id, line.signature[:size]), HEAD)
    for other in (
        Checkpoint(f"{ORIGIN}x", 7, HEAD.root),
        Checkpoint(ORIGIN, 8, HEAD.root),
        Checkpoint(ORIGIN, 7, EMPTY_ROOT),
    ):
        with pytest.raises(UnsignedError):
            key.verifier.check(line, other)


def test_extension_lines_are_signed_by_ed25519_and_passed_over_by_ml_dsa():
    more = Checkpoint(HEAD.origin, HEAD.size, HEAD.root, ("more",))
    assert parse_checkpoint(more.text) == more
    for key in KEYS:
        line = key.sign(HEAD, AT_S)
        if key.algorithm is Algorithm.ML_DSA_44:
            assert key.verifier.check(line, more) == AT_S
        else:
            with pytest.raises(UnsignedError):
                key.verifier.check(line, more)


def test_a_cosignature_is_bound_to_the_name_of_its_witness():
    one, other = (SignerKey(name, Algorithm.ML_DSA_44, b"s" * 32) for name in ("one", "other"))
    with pytest.raises(UnsignedError):
        other.verifier.check(one.sign(HEAD, AT_S), HEAD)


def test_a_time_beyond_all_times():
    for algorithm in (Algorithm.COSIGNATURE, Algorithm.ML_DSA_44):
        key = witness_key(0, algorithm)
        assert key.verifier.check(key.sign(HEAD, TIME_S_MAX), HEAD) == TIME_S_MAX
        with pytest.raises(UnsignedError, match="a time that no"):
            key.verifier.check(key.sign(HEAD, TIME_S_MAX + 1), HEAD)


def test_unknown_keys_are_passed_over():
    assert open_checkpoint(NOTE, []).signed == {}
    # Of the same name, but another key; then the same key under another name.
    strange = [signer(ORIGIN, Algorithm.ED25519, 9).verifier, VerifierKey("x", Algorithm.ED25519, KEYS[0].verifier.public_key)]
    assert open_checkpoint(NOTE, strange).signed == {}


def test_a_known_key_whose_signature_does_not_fit_spoils_the_note():
    note = parse_note(NOTE)
    forged = NoteSignature(note.signatures[2].name, note.signatures[2].key_id, bytes(72))
    spoilt = SignedNote(note.text, (*note.signatures[:2], forged)).encode()
    assert len(open_checkpoint(spoilt, [KEYS[0].verifier]).signed) == 1
    with pytest.raises(UnsignedError):
        open_checkpoint(spoilt, [KEYS[0].verifier, KEYS[2].verifier])


def test_lines_are_added_and_take_the_place_of_older_ones():
    first = sign_checkpoint(HEAD, KEYS[:1], AT_S)
    once = add_signatures(first, KEYS[2].sign(HEAD, AT_S).line.encode())
    twice = add_signatures(once, KEYS[2].sign(HEAD, AT_S + 5).line.encode())
    assert open_checkpoint(twice, [KEYS[2].verifier]).signed == {KEYS[2].verifier: AT_S + 5}
    assert len(parse_note(twice).signatures) == 2
    for lines in (b"", b"\xff\n", b"nothing\n", KEYS[2].sign(HEAD, AT_S).line.encode()[:-1]):
        with pytest.raises(LedgerFormError):
            add_signatures(first, lines)


@given(st.sampled_from(KEYS))
def test_a_vkey_reads_as_it_was_written(key):
    assert parse_verifier(str(key.verifier)) == key.verifier


def test_no_other_vkey_is_a_key():
    vkey = str(KEYS[0].verifier)
    for start in range(len(vkey)):
        for end in range(start + 1, len(vkey) + 1):
            if end - start < len(vkey):
                with pytest.raises(LedgerFormError):
                    parse_verifier(vkey[start:end])
    for place, char in enumerate(vkey):
        with pytest.raises(LedgerFormError):
            parse_verifier(vkey[:place] + chr(ord(char) + 1) + vkey[place + 1 :])
    with pytest.raises(LedgerFormError, match="does not fit"):
        parse_verifier(vkey.replace(KEYS[0].verifier.key_id.hex(), KEYS[0].verifier.key_id.hex().upper()))


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\tb", "a\u00a0b", "a\nb", "a\x01b", "a\udc80b"])
def test_names_that_no_key_has(name):
    with pytest.raises(LedgerFormError, match="name of a key"):
        SignerKey(name, Algorithm.ED25519, b"s" * 32).sign(HEAD, AT_S)


def test_ml_dsa_signs_names_of_at_most_255_bytes():
    key = SignerKey("n" * 255, Algorithm.ML_DSA_44, b"s" * 32)
    assert key.verifier.check(key.sign(HEAD, 1), HEAD) == 1
    for name, origin in (("n" * 256, ORIGIN), ("n", "o" * 256)):
        with pytest.raises(LedgerFormError, match="at most 255"):
            SignerKey(name, Algorithm.ML_DSA_44, b"s" * 32).sign(Checkpoint(origin, 1, EMPTY_ROOT), 1)


def test_a_signer_never_shows_its_seed():
    assert "seed" not in repr(KEYS[0])
    assert KEYS[0].seed.hex() not in repr(KEYS[0])


LINE = KEYS[0].sign(HEAD, 0).line


@pytest.mark.parametrize(
    "note",
    [
        b"",
        HEAD.text.encode(),
        HEAD.text.encode() + b"\n",
        b"\n\n" + LINE.encode(),
        (HEAD.text + "\n" + LINE)[:-1].encode(),
        ("\x01" + HEAD.text + "\n" + LINE).encode(),
        (HEAD.text + "\r\n" + LINE).encode(),
        b"\xff" + NOTE,
        NOTE + b"Another line.\n",
        NOTE + b"\n",
        (HEAD.text + "\n" + LINE.replace("\N{EM DASH}", "-")).encode(),
        (HEAD.text + "\n" + LINE.replace(ORIGIN, "a name")).encode(),
        (HEAD.text + "\n" + LINE.replace(ORIGIN, "a+name")).encode(),
        (HEAD.text + f"\n\N{EM DASH} {ORIGIN}\n").encode(),
        (HEAD.text + f"\n\N{EM DASH} {ORIGIN} AAAAAA==\n").encode(),
        (HEAD.text + "\n" + LINE.replace("==", "=").replace("=\n", "\n")).encode(),
        (HEAD.text + "\n" + LINE * (SIGNATURES_MAX + 1)).encode(),
        b"x" * NOTE_BYTES_MAX + NOTE,
    ],
)
def test_what_is_no_note(note):
    with pytest.raises(LedgerFormError):
        parse_note(note)


def test_a_note_has_room_for_signatures():
    lines = "".join(NoteSignature(f"w{number}", b"abcd", b"x").line for number in range(SIGNATURES_MAX))
    assert len(parse_signatures(lines)) == SIGNATURES_MAX
    text = "a text\n\nwith an empty line\n"
    assert parse_note(f"{text}\n{lines}".encode()).text == text


ROOT = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o\n7\n",
        f"o\n7\n{ROOT}",
        f"\n7\n{ROOT}\n",
        f"o\n\n{ROOT}\n",
        f"o\n7\n{ROOT}\n\n",
        f"o\n7\n{ROOT}\n\nmore\n",
        f"o\n07\n{ROOT}\n",
        f"o\n-7\n{ROOT}\n",
        f"o\n+7\n{ROOT}\n",
        f"o\n7 \n{ROOT}\n",
        f"o\n\u0667\n{ROOT}\n",
        f"o\n9223372036854775808\n{ROOT}\n",
        f"o\n7\n{ROOT[:-1]}\n",
        "o\n7\nAAEC\n",
        f"o\n7\n{ROOT.replace('8=', '9=')}\n",
        f"o\n7\n{ROOT[:-4]}!!8=\n",
        f"o\n7\n{ROOT[:-4]}\u00e4h8=\n",
    ],
)
def test_what_is_no_checkpoint(text):
    with pytest.raises(LedgerFormError):
        parse_checkpoint(text)


def test_the_largest_checkpoint():
    text = f"o\n9223372036854775807\n{ROOT}\n"
    assert parse_checkpoint(text).text == text
