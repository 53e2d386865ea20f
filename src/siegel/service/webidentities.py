"""Web identities: who a token says it is about, once a provider that the account believes has been seen to say it.

The issuer that a token names is looked for among the account's own providers, and only what that provider's keys have signed
counts. Whoever brings a token that proves nothing hears one and the same sentence, whatever was wrong with it.

Sources: RFC 7519 (JWT), 8725; OpenID Connect Core 1.0, section 3.1.3.7; AWS STS API Reference, AssumeRoleWithWebIdentity; AWS IAM
User Guide, "Available keys for AWS OIDC federation", "Passing session tags in AWS STS".
"""

import logging
from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct, field

from siegel.domain.identities import OidcProvider, Pairs, provider_name
from siegel.domain.limits import SESSION_TAGS_MAX, WEB_TOKEN_SKEW_S_MAX
from siegel.domain.outbound import OutboundError
from siegel.domain.ports import Clock, MetaStore
from siegel.domain.query_errors import (
    ExpiredTokenExceptionError,
    IdpCommunicationError,
    IdpRejectedClaimError,
    InvalidIdentityTokenError,
)
from siegel.domain.webtokens import TokenFormError, WebTokenError
from siegel.envelope.jws import SignedToken, read_token
from siegel.service.identities.entities import Entities
from siegel.service.webkeys import WebKeys

_log = logging.getLogger(__name__)

_Seconds: TypeAlias = int | float
_Text: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
_AUDIENCES_MAX: Final = 20
_METHODS_MAX: Final = 20


class _Tags(Struct, frozen=True):
    principal_tags: Annotated[
        dict[
            Annotated[str, Meta(min_length=1, max_length=128)],
            Annotated[tuple[Annotated[str, Meta(max_length=256)], ...], Meta(min_length=1, max_length=1)],
        ],
        Meta(max_length=SESSION_TAGS_MAX),
    ] = {}
    transitive_tag_keys: tuple[str, ...] = ()


class _Claims(Struct, frozen=True):
    """What a token says. A claim of another type than its own makes the whole token worthless."""

    iss: str
    sub: _Text
    aud: _Text | Annotated[tuple[_Text, ...], Meta(max_length=_AUDIENCES_MAX)]
    exp: _Seconds
    nbf: _Seconds = 0
    iat: _Seconds = 0
    amr: Annotated[tuple[_Text, ...], Meta(max_length=_METHODS_MAX)] = ()
    tags: _Tags = field(name="https://aws.amazon.com/tags", default=_Tags())
    source_identity: Annotated[str, Meta(max_length=64, pattern=r"\A[A-Za-z0-9_+=,.@-]*\Z")] = field(
        name="https://aws.amazon.com/source_identity", default=""
    )

    @property
    def audiences(self) -> tuple[str, ...]:
        """Whom the token is meant for."""
        return (self.aud,) if isinstance(self.aud, str) else self.aud


class WebIdentity(Struct, frozen=True):
    """Somebody whom a provider of the account vouches for. `keys` are condition keys, names in lower case."""

    provider_arn: str
    issuer: str
    subject: str
    audience: str
    keys: Mapping[str, tuple[str, ...]]
    tags: Pairs
    transitive_keys: tuple[str, ...]
    source_identity: str

    @property
    def name(self) -> str:
        """Who it is in one word, for the journal."""
        return f"{provider_name(self.issuer)}:{self.subject}"


class WebIdentities:
    """Proves tokens."""

    def __init__(self, store: MetaStore, keys: WebKeys, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock

    async def prove(self, account_id: str, text: str) -> WebIdentity:
        """Return who a token is about, for an account that believes its issuer.

        Raises InvalidIdentityTokenError for what is no token, IdpRejectedClaimError for one that proves nothing,
        ExpiredTokenExceptionError for one that did once, IdpCommunicationError where the provider cannot be asked.
        """
        try:
            return await self._prove(account_id, read_token(text))
        except TokenFormError as error:
            raise InvalidIdentityTokenError from error
        except WebTokenError as error:
            _log.info("a web identity for account %s was not accepted: %s", account_id, error)
            raise IdpRejectedClaimError from error
        except OutboundError as error:
            _log.warning("an identity provider of account %s could not be asked: %s", account_id, error)
            raise IdpCommunicationError from error

    async def _prove(self, account_id: str, token: SignedToken) -> WebIdentity:
        try:
            claims = msgspec.json.decode(token.payload, type=_Claims)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise WebTokenError(f"a claim is missing or of a wrong type: {error}") from error
        entities = Entities(self._store.reader, account_id)
        provider = entities.find(OidcProvider, provider_name(claims.iss))
        if provider is None or provider.url != claims.iss:
            raise WebTokenError("the account has no such provider")
        key = await self._keys.key_for(provider.url, token)
        if not key.proves(token):
            raise WebTokenError("the provider has not signed this")
        meant_for = [audience for audience in claims.audiences if audience in provider.client_ids]
        if not meant_for:
            raise WebTokenError("it is meant for somebody else")
        self._check_times(claims)
        _check_tags(claims.tags)
        return _identity(entities.arn(provider), claims, tuple(meant_for))

    def _check_times(self, claims: _Claims) -> None:
        now_s = self._clock.now_ms() / 1000
        if max(claims.nbf, claims.iat) > now_s + WEB_TOKEN_SKEW_S_MAX:
            raise WebTokenError("its time has not come")
        if claims.exp <= now_s:
            raise ExpiredTokenExceptionError


def _check_tags(tags: _Tags) -> None:
    keys = tags.principal_tags.keys()
    if len({key.lower() for key in keys}) != len(keys) or any(key.lower().startswith("aws:") for key in keys):
        raise WebTokenError("two of its tags have one key, or a reserved one")
    if not keys >= set(tags.transitive_tag_keys):
        raise WebTokenError("a transitive key is not among its tags")


def _identity(provider_arn: str, claims: _Claims, meant_for: tuple[str, ...]) -> WebIdentity:
    name = provider_name(claims.iss).lower()
    keys = {"aws:federatedprovider": (provider_arn,), f"{name}:sub": (claims.sub,), f"{name}:aud": meant_for}
    if claims.amr:
        keys[f"{name}:amr"] = claims.amr
    return WebIdentity(
        provider_arn,
        claims.iss,
        claims.sub,
        meant_for[0],
        keys,
        tuple((key, values[0]) for key, values in claims.tags.principal_tags.items()),
        claims.tags.transitive_tag_keys,
        claims.source_identity,
    )
