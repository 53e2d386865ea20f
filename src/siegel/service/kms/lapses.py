"""What clients of KMS are told when an external key store does not answer as it should.

What a proxy refuses is the state of a key (KMSInvalidStateException, 400); what may be there a moment later can be tried again
(DependencyTimeoutException, 503).

Source: AWS KMS API Reference, the errors of each operation; AWS KMS Developer Guide, "Troubleshooting external key stores"; the
table in aws/aws-kms-xksproxy-api-spec, `xks_proxy_api_spec.md`, "Error codes". Uses of keys depart from that table in three
places. There everything is a KMSInvalidStateException, also what passes; here SDKs learn what they can try again. What a proxy
says of a ciphertext or its context stays what clients know, an InvalidCiphertextException. And the proxy's own words are shown.
"""

from collections.abc import Mapping
from typing import Final

from siegel.domain.key_stores import KeyServerError, Lapse
from siegel.domain.kms_errors import (
    KmsDependencyTimeoutError,
    KmsError,
    KmsInvalidCiphertextError,
    KmsInvalidStateError,
    KmsValidationError,
    KmsXksKeyInvalidConfigurationError,
    KmsXksKeyNotFoundError,
    KmsXksProxyIncorrectAuthenticationCredentialError,
    KmsXksProxyInvalidConfigurationError,
    KmsXksProxyInvalidResponseError,
    KmsXksProxyUriUnreachableError,
)

PASSING: Final = frozenset(
    {
        *(Lapse.UNREACHABLE, Lapse.TLS, Lapse.TIMEOUT, Lapse.BUSY),
        *(Lapse.THROTTLED, Lapse.INTERNAL, Lapse.DEPENDENCY),
    }
)
"""What may be over when the request is made again."""

_OF_USE: Final[Mapping[Lapse, type[KmsError]]] = {
    **dict.fromkeys(PASSING, KmsDependencyTimeoutError),
    Lapse.CIPHERTEXT: KmsInvalidCiphertextError,
    Lapse.VALIDATION: KmsValidationError,
}
_OF_STORE: Final[Mapping[Lapse, type[KmsError]]] = {
    Lapse.UNREACHABLE: KmsXksProxyUriUnreachableError,
    Lapse.TIMEOUT: KmsXksProxyUriUnreachableError,
    Lapse.PATH: KmsXksProxyUriUnreachableError,
    Lapse.AUTHENTICATION: KmsXksProxyIncorrectAuthenticationCredentialError,
    **dict.fromkeys((Lapse.NONSENSE, Lapse.VALIDATION, Lapse.INTERNAL), KmsXksProxyInvalidResponseError),
    **dict.fromkeys((Lapse.TLS, Lapse.DEPENDENCY, Lapse.THROTTLED), KmsXksProxyUriUnreachableError),
    Lapse.BUSY: KmsDependencyTimeoutError,
}
_OF_KEY: Final[Mapping[Lapse, type[KmsError]]] = {
    **dict.fromkeys(PASSING, KmsDependencyTimeoutError),
    Lapse.KEY: KmsXksKeyNotFoundError,
}
_FAILURES: Final[Mapping[Lapse, str]] = {
    Lapse.UNREACHABLE: "XKS_PROXY_NOT_REACHABLE",
    Lapse.PATH: "XKS_PROXY_NOT_REACHABLE",
    Lapse.TIMEOUT: "XKS_PROXY_TIMED_OUT",
    Lapse.TLS: "XKS_PROXY_INVALID_TLS_CONFIGURATION",
    Lapse.NONSENSE: "XKS_PROXY_INVALID_RESPONSE",
    Lapse.AUTHENTICATION: "XKS_PROXY_ACCESS_DENIED",
    Lapse.ACCESS: "XKS_PROXY_ACCESS_DENIED",
}


def error_of_use(error: KeyServerError) -> KmsError:
    """Return what whoever uses a key is told."""
    return _OF_USE.get(error.lapse, KmsInvalidStateError)(error.text)


def error_of_store(error: KeyServerError) -> KmsError:
    """Return what whoever creates or changes a key store is told."""
    return _OF_STORE.get(error.lapse, KmsXksProxyInvalidConfigurationError)(error.text)


def error_of_key(error: KeyServerError) -> KmsError:
    """Return what whoever creates a key is told."""
    return _OF_KEY.get(error.lapse, KmsXksKeyInvalidConfigurationError)(error.text)


def failure_of(error: KeyServerError) -> str:
    """Return the ConnectionErrorCode of a key store that could not be connected."""
    return _FAILURES.get(error.lapse, "XKS_PROXY_INVALID_CONFIGURATION")
