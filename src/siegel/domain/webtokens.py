"""What can be wrong with a token of an identity provider."""

from siegel.domain.errors import SiegelError


class WebTokenError(SiegelError):
    """A token does not prove what it says. The message is for the service's own log: who brings such a token is told no more."""


class TokenFormError(WebTokenError):
    """It is no signed token at all, whoever may have made it."""


class UnknownKeyError(WebTokenError):
    """It is signed by a key that is not among those known: the provider may have a newer one."""
