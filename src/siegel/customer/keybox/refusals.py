"""The answers that are no: by the names of the XKS proxy API, which the face of KMS translates into its own.

Source: aws/aws-kms-xksproxy-api-spec, `xks_proxy_api_spec.md`, "Error codes".
"""

import re
from typing import Final

from siegel.domain.errors import SiegelError

# A message has fewer characters than this, and printable ASCII alone.
MESSAGE_CHARS_MAX: Final = 511

STATUSES: Final = {
    "ValidationException": 400,
    "InvalidStateException": 400,
    "InvalidCiphertextException": 400,
    "InvalidKeyUsageException": 400,
    "AuthenticationFailedException": 401,
    "AccessDeniedException": 403,
    "KeyNotFoundException": 404,
    "InvalidUriPathException": 404,
    "ThrottlingException": 429,
    "InternalException": 500,
    "UnsupportedOperationException": 501,
    "DependencyTimeoutException": 503,
    # Names that only KMS has; the XKS proxy API never answers with them.
    "IncorrectKeyException": 400,
    "UnknownOperationException": 400,
}

_UNPRINTABLE: Final = re.compile(r"[^ -~]")


class RefusedError(SiegelError):
    """A call that is not done. `name` is one of `STATUSES`, `message` a sentence in printable ASCII that holds no secret."""

    def __init__(self, name: str, message: str) -> None:
        """Refuse by `name`; whatever of `message` cannot be sent is replaced or cut."""
        self.name = name
        self.status = STATUSES[name]
        self.message = _UNPRINTABLE.sub("?", message)[:MESSAGE_CHARS_MAX]
        super().__init__(f"{name}: {self.message}")


def invalid(message: str) -> RefusedError:
    """Return the refusal of a request that says something wrong."""
    return RefusedError("ValidationException", message)
