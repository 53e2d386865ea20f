"""Floor 1: transparency logs in the formats of C2SP, to the byte. Tiles, proofs, signed notes, cosignatures, policies.

Pure: no I/O, no clock, no randomness of its own, but for what ML-DSA draws while it signs.
Format page: `docs/design/formats/ledger.md`.
"""
