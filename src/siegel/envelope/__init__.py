"""Floor 1: the sealed format. Seals and opens bodies, records and data keys; keys and random bytes come as arguments.

Pure: no I/O, no clock, no randomness. Format page: `docs/design/formats/envelope.md`, key page: `docs/design/formats/keys.md`.
"""
