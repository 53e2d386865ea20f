"""Errors with a place in the query protocol of IAM and STS: one class per code, named after it.

`iamwire/faults.py` holds the HTTP status of each. The tree's root, and what it hangs on, is in `domain/errors.py`.

Source: AWS IAM API Reference and AWS STS API Reference, "Common errors" and the errors of each action.
"""

from typing import ClassVar

from siegel.domain.errors import SiegelError


class QueryError(SiegelError):
    """An error with a place in the query protocol; `text` is what the client reads."""

    code: ClassVar[str] = "ServiceFailure"
    message: ClassVar[str] = "The request processing has failed because of an unknown error, exception or failure."

    def __init__(self, message: str | None = None) -> None:
        """Take a more specific `message` than the class's own."""
        self.text = message or self.message
        super().__init__(self.text)


class DeleteConflictError(QueryError):
    """`DeleteConflict`"""

    code = "DeleteConflict"
    message = "Cannot delete entity: something still belongs to it."


class EntityAlreadyExistsError(QueryError):
    """`EntityAlreadyExists`"""

    code = "EntityAlreadyExists"
    message = "An entity of that name already exists."


class ExpiredTokenExceptionError(QueryError):
    """`ExpiredTokenException`"""

    code = "ExpiredTokenException"
    message = "The web identity token that was passed is expired."


class IdpCommunicationError(QueryError):
    """`IDPCommunicationError`"""

    code = "IDPCommunicationError"
    message = "The identity provider that vouches for the token could not be asked. Try again in a while."


class IdpRejectedClaimError(QueryError):
    """`IDPRejectedClaim`"""

    code = "IDPRejectedClaim"
    message = (
        "The web identity token does not prove who you are: its issuer, audience, signature or another claim is not accepted by"
        " the role's account."
    )


class InvalidActionError(QueryError):
    """`InvalidAction`"""

    code = "InvalidAction"
    message = "The action or operation requested is not valid. Verify that the action is typed correctly."


class InvalidIdentityTokenError(QueryError):
    """`InvalidIdentityToken`"""

    code = "InvalidIdentityToken"
    message = "The web identity token that was passed is not a signed JWT."


class InvalidInputError(QueryError):
    """`InvalidInput`"""

    code = "InvalidInput"
    message = "An invalid or out-of-range value was supplied for an input parameter."


class LimitExceededError(QueryError):
    """`LimitExceeded`"""

    code = "LimitExceeded"
    message = "The request was rejected because it attempted to create something beyond a limit of the account."


class MalformedPolicyDocumentError(QueryError):
    """`MalformedPolicyDocument`"""

    code = "MalformedPolicyDocument"
    message = "The policy document was malformed."


class MissingActionError(QueryError):
    """`MissingAction`"""

    code = "MissingAction"
    message = "The request is missing an action or a required parameter."


class MissingAuthenticationTokenError(QueryError):
    """`MissingAuthenticationToken`"""

    code = "MissingAuthenticationToken"
    message = "Request is missing Authentication Token"


class NoSuchEntityError(QueryError):
    """`NoSuchEntity`"""

    code = "NoSuchEntity"
    message = "The entity cannot be found."


class PackedPolicyTooLargeError(QueryError):
    """`PackedPolicyTooLarge`"""

    code = "PackedPolicyTooLarge"
    message = "The policies and tags of the session are too large together."


class RequestEntityTooLargeError(QueryError):
    """`RequestEntityTooLarge`"""

    code = "RequestEntityTooLarge"
    message = "The request's body is larger than requests of this service may be."


class ServiceFailureError(QueryError):
    """`ServiceFailure`"""


class TemporarilyUnavailableError(QueryError):
    """`ServiceUnavailable`"""

    code = "ServiceUnavailable"
    message = "The request has failed due to a temporary failure of the server."


class ValidationError(QueryError):
    """`ValidationError`"""

    code = "ValidationError"
    message = "The input fails to satisfy the constraints of the service."
