"""A log for tests, in memory: it grows, keeps its files, signs, proves. And the tree as the RFC defines it, for comparison."""

from hashlib import sha256

from siegel.ledger.checkpoints import Checkpoint
from siegel.ledger.frontier import Frontier, grow
from siegel.ledger.keys import Algorithm, SignerKey
from siegel.ledger.proof_files import ProofFile
from siegel.ledger.proofs import consistency_tiles, inclusion_tiles, prove_consistency, prove_inclusion
from siegel.ledger.signed_checkpoints import add_signatures, sign_checkpoint
from siegel.ledger.tiles import Tile

ORIGIN = "store.example/ledger/111122223333"


def naive_root(entries):
    """Return MTH(D[n]) of RFC 6962, section 2.1, word for word."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\0" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return sha256(b"\x01" + naive_root(entries[:split]) + naive_root(entries[split:])).digest()


def signer(name, algorithm, number=0):
    return SignerKey(name, algorithm, bytes([algorithm, number]) * 16)


def log_keys(origin=ORIGIN, number=0):
    return [signer(origin, Algorithm.ED25519, number), signer(origin, Algorithm.ML_DSA_44, number)]


def witness_key(number=0, algorithm=Algorithm.COSIGNATURE):
    return signer(f"witness{number}.example", algorithm, number)


class Log:
    """A log that keeps whatever it ever published, as honest as it is told to be."""

    def __init__(self, entries=(), signers=None, origin=ORIGIN):
        self.origin = origin
        self.frontier = Frontier()
        self.files = {}
        self.entries = []
        self.signers = log_keys(origin) if signers is None else signers
        self.append(entries)

    def append(self, entries):
        growth = grow(self.frontier, list(entries))
        self.frontier = growth.frontier
        self.files |= dict(growth.files)
        self.entries += entries
        return self

    @property
    def size(self):
        return self.frontier.size

    @property
    def head(self):
        return Checkpoint(self.origin, self.size, self.frontier.root)

    def checkpoint(self, at_s=1_800_000_000, witnesses=()):
        data = sign_checkpoint(self.head, self.signers, at_s)
        return cosigned(data, self.head, at_s, witnesses)

    def inclusion(self, index, size=None):
        size = self.size if size is None else size
        return prove_inclusion(index, size, {tile: self.tile(tile) for tile in inclusion_tiles(index, size)})

    def consistency(self, old_size, size=None):
        size = self.size if size is None else size
        return prove_consistency(old_size, size, {tile: self.tile(tile) for tile in consistency_tiles(old_size, size)})

    def tile(self, tile):
        """Return the tile as a tree of any size had it: a wider one begins with it."""
        wider = (self.files.get(Tile(tile.level, tile.index, width)) for width in range(tile.width, 257))
        return next(found for found in wider if found)[: tile.width * 32]

    def proof_file(self, index, extra=b"", **how):
        return ProofFile(index, self.inclusion(index), self.checkpoint(**how), extra).encode()


def cosigned(data, checkpoint, at_s, witnesses):
    for witness in witnesses:
        data = add_signatures(data, witness.sign(checkpoint, at_s).line.encode())
    return data


def policy_text(quorum="any", log=None, witnesses=()):
    lines = [f"log {one.verifier}" for one in (log_keys() if log is None else log)]
    lines += [f"witness w{number} {one.verifier}" for number, one in enumerate(witnesses)]
    if witnesses:
        lines.append(f"group all-of-us {quorum} {' '.join(f'w{number}' for number in range(len(witnesses)))}")
    return "".join(f"{line}\n" for line in (*lines, f"quorum {'all-of-us' if witnesses else 'none'}")).encode()
