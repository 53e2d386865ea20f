"""Errors with a place in the protocol of KMS: one class per code, named after it.

`kmswire/faults.py` holds the HTTP status of each. The tree's root, and what it hangs on, is in `domain/errors.py`.

Source: AWS KMS API Reference, "Common Errors" and the errors of each operation.
"""

from typing import ClassVar

from siegel.domain.errors import SiegelError


class KmsError(SiegelError):
    """An error with a place in the protocol of KMS; `text` is what the client reads."""

    code: ClassVar[str] = "KMSInternalException"
    message: ClassVar[str] = "The request failed inside the service. It can be retried."

    def __init__(self, message: str | None = None) -> None:
        """Take a more specific `message` than the class's own."""
        self.text = message or self.message
        super().__init__(self.text)


class KmsAlreadyExistsError(KmsError):
    """`AlreadyExistsException`"""

    code = "AlreadyExistsException"
    message = "An alias of that name already exists."


class KmsCustomKeyStoreHasCMKsError(KmsError):
    """`CustomKeyStoreHasCMKsException`"""

    code = "CustomKeyStoreHasCMKsException"
    message = "The key store still has keys, or keys that are pending deletion."


class KmsCustomKeyStoreInvalidStateError(KmsError):
    """`CustomKeyStoreInvalidStateException`"""

    code = "CustomKeyStoreInvalidStateException"
    message = "The state of the key store does not permit the operation."


class KmsCustomKeyStoreNameInUseError(KmsError):
    """`CustomKeyStoreNameInUseException`"""

    code = "CustomKeyStoreNameInUseException"
    message = "There is a key store of that name already."


class KmsCustomKeyStoreNotFoundError(KmsError):
    """`CustomKeyStoreNotFoundException`"""

    code = "CustomKeyStoreNotFoundException"
    message = "There is no such key store."


class KmsDependencyTimeoutError(KmsError):
    """`DependencyTimeoutException`"""

    code = "DependencyTimeoutException"
    message = "The external key store did not answer in time. The request can be retried."


class KmsDisabledError(KmsError):
    """`DisabledException`"""

    code = "DisabledException"
    message = "The key is disabled."


class KmsDryRunError(KmsError):
    """`DryRunOperationException`"""

    code = "DryRunOperationException"
    message = "The request would have succeeded, but the DryRun option is set."


class KmsExpiredImportTokenError(KmsError):
    """`ExpiredImportTokenException`"""

    code = "ExpiredImportTokenException"
    message = "The import token has expired. Get a new one, and wrap the key material for its public key."


class KmsIncorrectKeyMaterialError(KmsError):
    """`IncorrectKeyMaterialException`"""

    code = "IncorrectKeyMaterialException"
    message = "The key material is not 256 bits, or not that which was imported into this key before."


class KmsIncorrectKeyError(KmsError):
    """`IncorrectKeyException`"""

    code = "IncorrectKeyException"
    message = "The key ID in the request does not identify a key that can perform this operation."


class KmsInvalidAliasNameError(KmsError):
    """`InvalidAliasNameException`"""

    code = "InvalidAliasNameException"
    message = "Alias names that begin with alias/aws/ are reserved."


class KmsInvalidArnError(KmsError):
    """`InvalidArnException`"""

    code = "InvalidArnException"
    message = "The ARN is not valid."


class KmsInvalidCiphertextError(KmsError):
    """`InvalidCiphertextException`"""

    code = "InvalidCiphertextException"
    message = "The ciphertext, or the encryption context that came with it, is not what it was."


class KmsInvalidGrantIdError(KmsError):
    """`InvalidGrantIdException`"""

    code = "InvalidGrantIdException"
    message = "There is no such grant on the key."


class KmsInvalidGrantTokenError(KmsError):
    """`InvalidGrantTokenException`"""

    code = "InvalidGrantTokenException"
    message = "The grant token is not valid."


class KmsInvalidImportTokenError(KmsError):
    """`InvalidImportTokenException`"""

    code = "InvalidImportTokenException"
    message = "The import token is none that was given out for this key."


class KmsInvalidMarkerError(KmsError):
    """`InvalidMarkerException`"""

    code = "InvalidMarkerException"
    message = "The marker is none that a page of this list ended with."


class KmsInvalidStateError(KmsError):
    """`KMSInvalidStateException`"""

    code = "KMSInvalidStateException"
    message = "The state of the key does not permit the operation."


class KmsInternalError(KmsError):
    """`KMSInternalException`"""

    code = "KMSInternalException"
    message = "The request failed inside the service. It can be retried."


class KmsLimitExceededError(KmsError):
    """`LimitExceededException`"""

    code = "LimitExceededException"
    message = "A limit of this service would be exceeded."


class KmsMalformedPolicyDocumentError(KmsError):
    """`MalformedPolicyDocumentException`"""

    code = "MalformedPolicyDocumentException"
    message = "The key policy is not understood, or would shut its owner out."


class KmsMissingAuthenticationTokenError(KmsError):
    """`MissingAuthenticationTokenException`"""

    code = "MissingAuthenticationTokenException"
    message = "Missing Authentication Token"


class KmsNotFoundError(KmsError):
    """`NotFoundException`"""

    code = "NotFoundException"
    message = "The key or alias does not exist."


class KmsRequestTooLargeError(KmsError):
    """`RequestEntityTooLargeException`"""

    code = "RequestEntityTooLargeException"
    message = "The body of the request is too large."


class KmsSerializationError(KmsError):
    """`SerializationException`"""

    code = "SerializationException"
    message = "The body of the request is no JSON object."


class KmsServiceUnavailableError(KmsError):
    """`ServiceUnavailableException`"""

    code = "ServiceUnavailableException"
    message = "The request failed for the moment. Please retry."


class KmsTagError(KmsError):
    """`TagException`"""

    code = "TagException"
    message = "A tag is not valid."


class KmsUnknownOperationError(KmsError):
    """`UnknownOperationException`"""

    code = "UnknownOperationException"
    message = "There is no such operation."


class KmsUnsupportedOperationError(KmsError):
    """`UnsupportedOperationException`"""

    code = "UnsupportedOperationException"
    message = "The operation is not supported."


class KmsValidationError(KmsError):
    """`ValidationException`"""

    code = "ValidationException"
    message = "The input fails to satisfy the constraints of the service."


class KmsXksKeyAlreadyInUseError(KmsError):
    """`XksKeyAlreadyInUseException`"""

    code = "XksKeyAlreadyInUseException"
    message = "Another key of this key store uses that external key."


class KmsXksKeyInvalidConfigurationError(KmsError):
    """`XksKeyInvalidConfigurationException`"""

    code = "XksKeyInvalidConfigurationException"
    message = "The external key cannot be used: it must be AES_256, enabled, and encrypt and decrypt."


class KmsXksKeyNotFoundError(KmsError):
    """`XksKeyNotFoundException`"""

    code = "XksKeyNotFoundException"
    message = "The external key store proxy knows no such key."


class KmsXksProxyIncorrectAuthenticationCredentialError(KmsError):
    """`XksProxyIncorrectAuthenticationCredentialException`"""

    code = "XksProxyIncorrectAuthenticationCredentialException"
    message = "The external key store proxy does not accept the credential."


class KmsXksProxyInvalidConfigurationError(KmsError):
    """`XksProxyInvalidConfigurationException`"""

    code = "XksProxyInvalidConfigurationException"
    message = "The external key store proxy is not configured so that it can be used."


class KmsXksProxyInvalidResponseError(KmsError):
    """`XksProxyInvalidResponseException`"""

    code = "XksProxyInvalidResponseException"
    message = "The external key store proxy does not answer as one does."


class KmsXksProxyUriInUseError(KmsError):
    """`XksProxyUriInUseException`"""

    code = "XksProxyUriInUseException"
    message = "Another key store of this account has that proxy."


class KmsXksProxyUriUnreachableError(KmsError):
    """`XksProxyUriUnreachableException`"""

    code = "XksProxyUriUnreachableException"
    message = "The external key store proxy cannot be reached there."
