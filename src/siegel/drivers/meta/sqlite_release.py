"""Which SQLite this is, for people who ask."""

import apsw


def sqlite_release() -> str:
    """Return one phrase that names the SQLite release and the library that encrypts its pages."""
    ciphers = getattr(apsw, "mc_version", None) or "no cipher"
    return f"SQLite {apsw.sqlite_lib_version()}, {ciphers}"
