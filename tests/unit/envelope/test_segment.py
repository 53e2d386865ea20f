"""A segment gives back its plaintext, whole or in ranges, or refuses: never a wrong byte, never somebody else's."""

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from siegel.domain.errors import SealBrokenError
from siegel.envelope import segment
from siegel.envelope.context import Place, Purpose, encode_context
from siegel.envelope.ranges import CHUNK_BYTES, HEADER_BYTES, SEALED_CHUNK_BYTES, chunk_span, sealed_size
from siegel.envelope.segment import SegmentOpener, SegmentSealer, SmallSegment, seal_segment

PLACE = Place("123456789012", 7, "film.mp4", b"v" * 16)
KEY = bytes(range(32))
DATA_ID = b"d" * 16
SALT = b"s" * 24
PART = 3
EDGES = [0, 1, 100, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 2 * CHUNK_BYTES + 1, 5 * CHUNK_BYTES + 77]


def plain(size: int) -> bytes:
    return bytes(i % 251 for i in range(size))


def seal(plaintext: bytes, **changes) -> bytes:
    arguments = {"data_key": KEY, "place": PLACE, "data_id": DATA_ID, "part_number": PART, "salt": SALT} | changes
    return seal_segment(**arguments, plaintext=plaintext)


def unseal(sealed: bytes, plain_size: int, **changes) -> bytes:
    arguments = {"data_key": KEY, "place": PLACE, "data_id": DATA_ID, "part_number": PART} | changes
    return SmallSegment(**arguments, sealed=sealed, plain_size=plain_size).open(sealed)


def opener(sealed: bytes, plain_size: int, **changes) -> SegmentOpener:
    arguments = {"data_key": KEY, "place": PLACE, "data_id": DATA_ID, "part_number": PART, "header": sealed[:88]} | changes
    return SegmentOpener(**arguments, plain_size=plain_size, stored_size=len(sealed))


def read(sealed: bytes, plain_size: int, start: int, stop: int) -> bytes:
    span = chunk_span(start, stop, plain_size)
    output = bytearray(span.plain_length)
    piece = memoryview(sealed)[span.sealed_offset : span.sealed_offset + span.sealed_length]
    assert opener(sealed, plain_size).open_into(span.first_chunk, piece, memoryview(output)) == span.plain_length
    return bytes(output[span.skip_bytes : span.skip_bytes + stop - start])


@pytest.mark.parametrize("size", EDGES)
def test_a_body_opens_again_at_every_edge(size):
    sealed = seal(plain(size))
    assert len(sealed) == sealed_size(size)
    assert unseal(sealed, size) == plain(size)
    assert read(sealed, size, 0, size) == plain(size)


def cobblestone_context() -> bytes:
    return encode_context(Purpose.SEGMENT, PLACE, b"\x01" + PART.to_bytes(4, "big") + DATA_ID)


@pytest.mark.parametrize("size", EDGES)
def test_another_implementation_opens_what_we_seal(size):
    oracle = Cobblestone256Decryptor(KEY, cobblestone_context())
    assert bytes(oracle.update(seal(plain(size))[32:])) + bytes(oracle.finalize()) == plain(size)


@pytest.mark.parametrize("size", EDGES)
def test_we_open_what_another_implementation_seals(size):
    oracle = Cobblestone256Encryptor(KEY, cobblestone_context())
    body = bytes(oracle.update(plain(size))) + bytes(oracle.finalize())
    assert unseal(seal(b"")[:32] + body, size) == plain(size)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from([0, 1, 5, 9000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 40000]), max_size=8))
def test_the_pieces_in_which_a_body_arrives_do_not_matter(sizes):
    whole = plain(sum(sizes))
    sealer = SegmentSealer(KEY, PLACE, DATA_ID, PART, SALT)
    sealed = bytearray(sealer.header)
    at = 0
    for size in sizes:
        sealed += sealer.seal(memoryview(whole)[at : at + size])
        at += size
    sealed += sealer.finish()
    assert bytes(sealed) == seal(whole)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_every_range_is_that_part_of_the_plaintext(data):
    size = data.draw(st.sampled_from(EDGES))
    stop = data.draw(st.integers(0, size))
    start = data.draw(st.integers(0, stop))
    assert read(seal(plain(size)), size, start, stop) == plain(size)[start:stop]


def test_chunks_open_in_any_order_and_in_slabs():
    size = 5 * CHUNK_BYTES + 77
    sealed = memoryview(seal(plain(size)))
    door = opener(sealed, size)
    output = bytearray(2 * CHUNK_BYTES)
    for first, count in [(4, 2), (0, 2), (2, 1), (5, 1)]:
        start = HEADER_BYTES + first * SEALED_CHUNK_BYTES
        got = door.open_into(first, sealed[start : start + count * SEALED_CHUNK_BYTES], memoryview(output))
        assert bytes(output[:got]) == plain(size)[first * CHUNK_BYTES : (first + count) * CHUNK_BYTES]


def test_every_flipped_bit_of_a_small_segment_is_noticed():
    sealed = seal(plain(40))
    for bit in range(len(sealed) * 8):
        broken = bytearray(sealed)
        broken[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealBrokenError):
            unseal(bytes(broken), 40)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, sealed_size(40000) * 8 - 1))
def test_a_flipped_bit_anywhere_is_noticed_in_pieces_too(bit):
    broken = bytearray(seal(plain(40000)))
    broken[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealBrokenError):
        read(bytes(broken), 40000, 0, 40000)


def test_nothing_of_a_slab_with_a_broken_chunk_is_left_in_the_buffer():
    sealed = bytearray(seal(plain(40000)))
    sealed[HEADER_BYTES + SEALED_CHUNK_BYTES + 9] ^= 1
    output = memoryview(bytearray(b"?" * 40000))
    with pytest.raises(SealBrokenError, match="chunk 1 "):
        opener(bytes(sealed), 40000).open_into(0, memoryview(sealed)[HEADER_BYTES:], output)
    assert bytes(output) == bytes(40000)


@pytest.mark.parametrize(
    "change",
    [
        {"data_key": b"x" * 32},
        {"data_key": b"short"},
        {"data_id": b"e" * 16},
        {"data_id": b"e" * 15},
        {"part_number": PART + 1},
        {"place": Place("210987654321", 7, "film.mp4", b"v" * 16)},
        {"place": Place("123456789012", 8, "film.mp4", b"v" * 16)},
        {"place": Place("123456789012", 7, "film.mp", b"v" * 16)},
        {"place": Place("123456789012", 7, "film.mp4", b"w" * 16)},
    ],
)
def test_a_segment_opens_only_where_it_belongs(change):
    sealed = seal(plain(100))
    with pytest.raises(SealBrokenError):
        unseal(sealed, 100, **change)
    with pytest.raises(SealBrokenError):
        opener(sealed, 100, **change)


def test_a_segment_of_a_later_version_or_suite_is_refused():
    sealed = seal(plain(100))
    for offset in (7, 8, 9, 14, 15):
        changed = bytearray(sealed)
        changed[offset] += 1
        with pytest.raises(SealBrokenError, match="unknown version"):
            unseal(bytes(changed), 100)


@pytest.mark.parametrize("size", [0, 100, CHUNK_BYTES, 40000])
def test_a_segment_that_was_cut_or_extended_is_refused(size):
    sealed = seal(plain(size))
    for changed in (sealed[:-1], sealed + b"\0", sealed[:HEADER_BYTES], sealed[:87], sealed[: HEADER_BYTES + 16400]):
        if len(changed) != len(sealed):
            with pytest.raises(SealBrokenError):
                unseal(changed, size)
            with pytest.raises(SealBrokenError):
                opener(changed, size)


def test_a_cut_between_two_chunks_is_noticed_even_if_the_size_is_changed_to_fit():
    sealed = seal(plain(40000))
    for kept in (1, 2):
        shorter = sealed[: HEADER_BYTES + kept * SEALED_CHUNK_BYTES]
        with pytest.raises(SealBrokenError):
            unseal(shorter + b"\0" * 16, kept * CHUNK_BYTES)
    # The true last chunk of the cut segment cannot stand in for the end.
    with pytest.raises(SealBrokenError):
        unseal(sealed[: HEADER_BYTES + 16400] + sealed[HEADER_BYTES + 2 * 16400 :], 40000 - CHUNK_BYTES)


def test_chunks_that_changed_places_are_refused():
    sealed = seal(plain(40000))
    one, two, rest = sealed[88 : 88 + 16400], sealed[88 + 16400 : 88 + 32800], sealed[88 + 32800 :]
    with pytest.raises(SealBrokenError):
        unseal(sealed[:88] + two + one + rest, 40000)
    with pytest.raises(SealBrokenError):
        opener(sealed, 40000).open_into(0, memoryview(two), memoryview(bytearray(CHUNK_BYTES)))


def test_chunks_of_another_segment_are_refused():
    sealed, other = seal(plain(40000)), seal(plain(40000), salt=b"t" * 24)
    with pytest.raises(SealBrokenError):
        unseal(sealed[:88] + other[88:], 40000)


@pytest.mark.parametrize(
    ("first", "length"),
    [(0, 0), (0, 16399), (0, 16401), (2, 7249), (2, 7247), (3, 16), (3, 0), (-1, 16400), (0, 4 * 16400), (1, 16400 + 7000)],
)
def test_chunks_that_are_missing_or_cut_short_are_refused(first, length):
    sealed = seal(plain(40000))
    with pytest.raises(SealBrokenError, match="missing or cut"):
        opener(sealed, 40000).open_into(first, memoryview(bytes(length)), memoryview(bytearray(80000)))


def test_a_buffer_that_is_too_small_is_a_mistake_of_the_caller():
    sealed = seal(plain(100))
    with pytest.raises(ValueError, match="no room"):
        opener(sealed, 100).open_into(0, memoryview(sealed)[88:], memoryview(bytearray(99)))


def test_a_header_of_another_size_is_refused():
    sealed = seal(plain(100))
    with pytest.raises(SealBrokenError):
        opener(sealed, 100, header=sealed[:87])


def test_a_finished_sealer_takes_nothing_more():
    sealer = SegmentSealer(KEY, PLACE, DATA_ID, PART, SALT)
    sealer.finish()
    for late in (lambda: sealer.seal(b""), lambda: sealer.seal(plain(20000)), sealer.finish):
        with pytest.raises(ValueError, match="finished"):
            late()


def test_a_segment_ends_where_its_nonces_would(monkeypatch):
    monkeypatch.setattr(segment, "CHUNKS_MAX", 2)
    sealer = SegmentSealer(KEY, PLACE, DATA_ID, PART, SALT)
    sealer.seal(plain(CHUNK_BYTES))
    with pytest.raises(ValueError, match="more chunks"):
        sealer.seal(plain(2 * CHUNK_BYTES))
    assert len(sealer.finish()) == 16


@pytest.mark.parametrize("change", [{"data_key": b"k" * 31}, {"data_id": b"d" * 17}, {"salt": b"s" * 23}])
def test_arguments_of_a_wrong_size_are_a_mistake_of_the_caller(change):
    with pytest.raises(ValueError, match="32 bytes"):
        seal(b"x", **change)
    with pytest.raises(ValueError, match="32 bytes"):
        SegmentSealer(**({"data_key": KEY, "place": PLACE, "data_id": DATA_ID, "part_number": PART, "salt": SALT} | change))


def test_no_plaintext_shows_in_a_sealed_body():
    canary = b"a canary that sings in clear text "
    sealed = seal(canary * 1000)
    assert canary[:8] not in sealed


def multiply(x, y):
    """Multiply in GF(2^128) as GCM does (NIST SP 800-38D, algorithm 1); blocks are numbers, their first bit the highest."""
    product = 0
    for bit in range(127, -1, -1):
        if x >> bit & 1:
            product ^= y
        y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
    return product


def power(x, exponent):
    result = 1 << 127
    while exponent:
        if exponent & 1:
            result = multiply(result, x)
        x, exponent = multiply(x, x), exponent >> 1
    return result


def hash_key(key):
    return int.from_bytes(Cipher(algorithms.AES256(key), modes.ECB()).encryptor().update(bytes(16)), "big")


def ghash(h, blocks):
    state = 0
    for block in blocks:
        state = multiply(state ^ block, h)
    return state


def pad_of(key, nonce):
    return int.from_bytes(Cipher(algorithms.AES256(key), modes.ECB()).encryptor().update(nonce + b"\0\0\0\1"), "big")


def colliding_chunk(first, second):
    """Return a chunk of two blocks, with its tag, that AES-GCM opens under two keys and nonces: the first block makes it so."""
    (k1, n1), (k2, n2) = first, second
    lengths, fixed = 256, int.from_bytes(b"one block, fixed", "big")
    h1, h2 = hash_key(k1), hash_key(k2)
    # tag = x*h^3 + fixed*h^2 + lengths*h + pad, the same for both: one linear equation for x.
    rest = [ghash(h, [fixed, lengths]) ^ pad_of(k, n) for h, k, n in ((h1, k1, n1), (h2, k2, n2))]
    x = multiply(rest[0] ^ rest[1], power(power(h1, 3) ^ power(h2, 3), (1 << 128) - 2))
    tag = ghash(h1, [x, fixed, lengths]) ^ pad_of(k1, n1)
    return x.to_bytes(16, "big") + fixed.to_bytes(16, "big"), tag.to_bytes(16, "big")


@pytest.mark.parametrize("size", [0, 5, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 4 * CHUNK_BYTES])
def test_a_small_segment_is_opened_again_by_the_keys_that_were_derived_once(size):
    plain = bytes(range(256)) * (size // 256 + 1)
    plain = plain[:size]
    sealed = seal(plain)
    keys = SmallSegment(KEY, PLACE, DATA_ID, PART, sealed=sealed, plain_size=size)
    assert [keys.open(sealed), keys.open(sealed)] == [plain, plain]
    for changed in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:-1], sealed + b"\0", sealed[:HEADER_BYTES]):
        with pytest.raises(SealBrokenError):
            keys.open(changed)


def test_t81_cve_2025_14763_a_file_that_two_keys_open_is_opened_by_one_at_most():
    """Two data keys whose chunk keys both open the same ciphertext, as AES-GCM allows it: the commitment is to one of them."""
    keys = [KEY, bytes(reversed(KEY))]
    made = [segment._ChunkKeys(key, PLACE, DATA_ID, PART, SALT) for key in keys]
    outputs = [segment.expand(key, segment._INFO + SALT + cobblestone_context(), 32 + 12 + 32) for key in keys]
    pairs = [(output[:32], output[32:44]) for output in outputs]
    ciphertext, tag = colliding_chunk(*pairs)
    for key, nonce in pairs:
        assert len(AESGCM(key).decrypt(nonce, ciphertext + tag, None)) == 32
    for mine, committed in enumerate(made):
        sealed = seal(b"", data_key=keys[mine])[:HEADER_BYTES] + ciphertext + tag
        assert sealed[HEADER_BYTES - 32 : HEADER_BYTES] == committed.commitment
        assert len(unseal(sealed, 32, data_key=keys[mine])) == 32
        with pytest.raises(SealBrokenError):
            unseal(sealed, 32, data_key=keys[1 - mine])


@given(st.integers(0, segment.CHUNKS_MAX - 1), st.integers(0, segment.CHUNKS_MAX - 1), st.binary(min_size=24, max_size=24))
def test_t83_no_two_chunks_of_a_segment_have_one_nonce_however_many_there_are(first, second, salt):
    """MinIO b181a693, Ceph CVE-2025-30156: the nonce is the number, masked, so 2^38 chunks have as many nonces."""
    keys = segment._ChunkKeys(KEY, PLACE, DATA_ID, PART, salt)
    assert (keys.nonce(first) == keys.nonce(second)) == (first == second)
    assert int.from_bytes(keys.nonce(first), "big") ^ keys.base_nonce == first


@given(st.binary(min_size=24, max_size=24), st.binary(min_size=24, max_size=24))
def test_t83_another_salt_is_another_key_and_other_nonces(first, second):
    """What is written after a crash, a restore or a clone draws a salt of its own, and shares no key with what was there."""
    one, other = (seal(plain(100), salt=salt) for salt in (first, second))
    assert (one == other) == (first == second)
    if first != second:
        headers = one[:HEADER_BYTES], other[:HEADER_BYTES]
        for header, body in (headers[0], other), (headers[1], one):
            with pytest.raises(SealBrokenError):
                unseal(header + body[HEADER_BYTES:], 100)
