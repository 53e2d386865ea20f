"""Certificates: checked before a process needs them."""

import ssl
from pathlib import Path

from siegel.domain.errors import ConfigurationError


def check_pair(certificate: str, key: str) -> None:
    """Check that the files of a certificate and its key can be read, belong together, and have the form that the server takes.

    Raises ConfigurationError.
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{certificate} and {key} are no usable certificate and key: {error}") from None
    if "-----BEGIN PRIVATE KEY-----" not in Path(key).read_text(encoding="ascii", errors="replace"):
        raise ConfigurationError(f"{key} is not in PKCS#8 form\ntry: openssl pkcs8 -topk8 -nocrypt -in {key} -out key.pem")


def check_authority(certificates: str) -> None:
    """Check that a file holds certificates of authorities that clients' certificates can be checked by.

    Raises ConfigurationError.
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(certificates)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{certificates} holds no usable certificate of an authority: {error}") from None


def _no_password() -> str:
    raise ValueError("the key is protected by a password, which nobody could type at a restart")
