"""The public keys of identity providers: fetched where the provider says, kept for a while, and never believed beyond it.

A provider is asked when a token is to be proven, and no more often than the constants say, whoever sends tokens: those who call
for it are not known yet. What cannot be fetched anew is not believed any longer.

Source: OpenID Connect Discovery 1.0, sections 3 and 4; OpenID Connect Core 1.0, section 10.1.1 (rotation of keys).
"""

import asyncio
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from siegel.domain.limits import KIB, WEB_KEYS_BYTES_MAX
from siegel.domain.outbound import OutboundCall, OutboundError
from siegel.domain.ports import Clock, Outbound
from siegel.domain.webtokens import UnknownKeyError, WebTokenError
from siegel.envelope.jws import SignedToken, VerifyingKey, find_key, read_keys

D = TypeVar("D")

KEPT_MS: Final = 10 * 60 * 1000
AGAIN_MS: Final = 60 * 1000
"""Between two questions for a key that was not there."""
RETRY_MS: Final = 10 * 1000
"""Between two questions where the first got no answer."""
ISSUERS_MAX: Final = 256
FETCH_S_MAX: Final = 5.0
_DISCOVERY_BYTES_MAX: Final = 64 * KIB
_LONG_AGO_MS: Final = -(10**15)


class _Discovery(Struct, frozen=True):
    issuer: str
    jwks_uri: str


class _Kept:
    """What is known of one issuer. `asking` is the one fetch that is under way, for all who wait for it."""

    def __init__(self) -> None:
        self.keys: tuple[VerifyingKey, ...] = ()
        self.fetched_at_ms = self.failed_at_ms = _LONG_AGO_MS
        self.asking: asyncio.Task[None] | None = None


class WebKeys:
    """The keys of all issuers that were asked for. One per event loop."""

    def __init__(self, outbound: Outbound, clock: Clock) -> None:
        self._outbound = outbound
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    async def key_for(self, issuer: str, token: SignedToken) -> VerifyingKey:
        """Return the issuer's key that the token says it is signed by.

        Raises UnknownKeyError if the issuer has none such, OutboundError if it cannot be asked or answers nonsense.
        """
        kept = self._kept_of(issuer)
        age_ms = self._clock.now_ms() - kept.fetched_at_ms
        if age_ms >= KEPT_MS:
            await self._ask(issuer, kept)
        try:
            return find_key(token, kept.keys)
        except UnknownKeyError:
            if not AGAIN_MS <= age_ms < KEPT_MS:
                raise
        await self._ask(issuer, kept)
        return find_key(token, kept.keys)

    def _kept_of(self, issuer: str) -> _Kept:
        kept = self._kept.pop(issuer, None) or _Kept()
        while len(self._kept) >= ISSUERS_MAX:
            del self._kept[next(iter(self._kept))]
        self._kept[issuer] = kept
        return kept

    async def _ask(self, issuer: str, kept: _Kept) -> None:
        """Wait for the keys; who does not wait to the end does not end it for others."""
        if kept.asking is None:
            if self._clock.now_ms() - kept.failed_at_ms < RETRY_MS:
                raise OutboundError(f"{issuer} was asked in vain a moment ago")
            kept.asking = asyncio.create_task(self._fetch(issuer, kept))
        await asyncio.shield(kept.asking)

    async def _fetch(self, issuer: str, kept: _Kept) -> None:
        try:
            kept.keys = await self._keys_of(issuer)
            kept.fetched_at_ms = self._clock.now_ms()
        except OutboundError:
            kept.failed_at_ms = self._clock.now_ms()
            raise
        finally:
            kept.asking = None

    async def _keys_of(self, issuer: str) -> tuple[VerifyingKey, ...]:
        url = f"{issuer.removesuffix('/')}/.well-known/openid-configuration"
        discovery = await self._get(url, _DISCOVERY_BYTES_MAX, _Discovery)
        if discovery.issuer != issuer:
            raise OutboundError(f"{issuer} says that it is somebody else")
        document = await self._get(discovery.jwks_uri, WEB_KEYS_BYTES_MAX, msgspec.Raw)
        try:
            return read_keys(bytes(document))
        except WebTokenError as error:
            raise OutboundError(f"{issuer} has no keys: {error}") from error

    async def _get(self, url: str, bytes_max: int, document_type: type[D]) -> D:
        headers = [("accept", "application/json")]
        answer = await self._outbound.fetch(
            OutboundCall(url=url, headers=headers, timeout_s=FETCH_S_MAX, answer_bytes_max=bytes_max)
        )
        if answer.status != 200:  # noqa: PLR2004  (what HTTP calls OK)
            raise OutboundError(f"{url} answers {answer.status}")
        try:
            return msgspec.json.decode(answer.body, type=document_type)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise OutboundError(f"{url} does not answer as a provider does: {error}") from error
