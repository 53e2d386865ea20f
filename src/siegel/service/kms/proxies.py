"""The proxies of external key stores, asked: signed, in time, not too many at once, and not again at once where nobody answers.

Nothing here is repeated, and nothing takes the place of an answer.

Source: aws/aws-kms-xksproxy-api-spec, `xks_proxy_api_spec.md`, "Authentication".
"""

import asyncio
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from msgspec import Struct

from siegel.domain.addresses import parse_endpoint
from siegel.domain.key_stores import MISSED, KeyServerError, Lapse, OuterLayer, Proxy
from siegel.domain.limits import XKS_ANSWER_BYTES_MAX, XKS_CALL_S_MAX, XKS_CALLS_AT_ONCE_MAX, XKS_CALLS_WAITING_MAX
from siegel.domain.outbound import OutboundAnswer, OutboundCall, OutboundError, OutboundTimeoutError, OutboundTlsError, Trust
from siegel.domain.ports import Clock, Outbound
from siegel.kmswire.xks import (
    HEALTH,
    SERVICE,
    RequestMetadata,
    of_key,
    read_decrypted,
    read_encrypted,
    read_health,
    read_metadata,
    render_decrypt,
    render_encrypt,
    render_question,
)
from siegel.s3wire.sigv4 import signing_key

MISSES_MAX: Final = 5
"""So many calls in a row have to miss a proxy before it is given a pause,"""
MISSING_S_MIN: Final = 0.5
"""and for so long: calls that are under way together miss it together."""
PAUSE_S: Final = 1.0
"""How long nobody asks it then; after that, one call tries."""
LINES_MAX: Final = 1024


class Wrapping(Struct, frozen=True):
    """What is wrapped by an external key: where that is, which it is, what the ciphertext is bound to, and who asks for it."""

    proxy: Proxy
    external_key_id: str
    aad: bytes
    metadata: RequestMetadata


class _Line:
    """One proxy as one process sees it."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(XKS_CALLS_AT_ONCE_MAX)
        self._waiting = 0
        self._misses = 0
        self._missing_since_s = 0.0
        self._paused_until_s = 0.0

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Wait for a place among the calls, and note how the call ends. Raises KeyServerError (BUSY, UNREACHABLE)."""
        await self._take()
        try:
            self._check_pause()
            is_missed = False
            try:
                yield
            except KeyServerError as error:
                is_missed = error.lapse in MISSED
                raise
            finally:
                self._note(is_missed=is_missed)
        finally:
            self._places.release()

    async def _take(self) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        if self._waiting >= XKS_CALLS_WAITING_MAX:
            raise _busy()
        self._waiting += 1
        try:
            async with asyncio.timeout(XKS_CALL_S_MAX):
                await self._places.acquire()
        except TimeoutError:
            raise _busy() from None
        finally:
            self._waiting -= 1

    def _note(self, *, is_missed: bool) -> None:
        if is_missed and not self._misses:
            self._missing_since_s = asyncio.get_running_loop().time()
        self._misses = self._misses + 1 if is_missed else 0

    def _check_pause(self) -> None:
        """Let one call through after each pause: whoever comes meanwhile is told what the last one found."""
        if self._misses < MISSES_MAX:
            return
        now_s = asyncio.get_running_loop().time()
        if now_s - self._missing_since_s < MISSING_S_MIN:
            return
        if now_s < self._paused_until_s:
            raise KeyServerError(Lapse.BUSY, "The external key store proxy did not answer a moment ago, and is asked again soon.")
        self._paused_until_s = now_s + PAUSE_S


class Proxies:
    """All proxies. One per event loop."""

    def __init__(self, outbound: Outbound, clock: Clock, region: str, certificate_file: str | None = None) -> None:
        """Sign for `region`, the deployment's own; show the certificate of the file to proxies that want to see one."""
        self._outbound = outbound
        self._clock = clock
        self._region = region
        self._certificate_file = certificate_file or ""
        self._lines: dict[Proxy, _Line] = {}
        self._signing_keys: dict[tuple[str, str], bytes] = {}

    def check_place(self, proxy: Proxy) -> None:
        """Raise AddressRefusedError for a proxy that could never be asked where it is."""
        self._outbound.check(proxy.url)

    async def check_health(self, proxy: Proxy, metadata: RequestMetadata) -> None:
        """Raise KeyServerError unless a proxy can be used."""
        answer = await self._ask(proxy, HEALTH, render_question(metadata))
        read_health(answer.status, answer.body)

    async def check_key(self, proxy: Proxy, external_key_id: str, metadata: RequestMetadata) -> str:
        """Return why an external key cannot be used, "" if it can. Raises KeyServerError."""
        answer = await self._ask(proxy, of_key(external_key_id, "metadata"), render_question(metadata))
        return read_metadata(answer.status, answer.body)

    async def encrypt(self, wrapping: Wrapping, plaintext: bytes) -> OuterLayer:
        """Return a layer over `plaintext` that was opened again and compared. Raises KeyServerError."""
        body = render_encrypt(wrapping.metadata, plaintext, wrapping.aad)
        answer = await self._ask(wrapping.proxy, of_key(wrapping.external_key_id, "encrypt"), body)
        layer = read_encrypted(answer.status, answer.body, plaintext, wrapping.aad)
        try:
            is_same = hmac.compare_digest(await self.decrypt(wrapping, layer), plaintext)
        except KeyServerError as error:
            if error.lapse is not Lapse.CIPHERTEXT:
                raise
            is_same = False
        if not is_same:
            raise KeyServerError(
                Lapse.NONSENSE, "What the external key store proxy has just encrypted does not open to the same."
            )
        return layer

    async def decrypt(self, wrapping: Wrapping, layer: OuterLayer) -> bytes:
        """Return what is under a layer: who made it has to prove that. Raises KeyServerError."""
        body = render_decrypt(wrapping.metadata, layer, wrapping.aad)
        answer = await self._ask(wrapping.proxy, of_key(wrapping.external_key_id, "decrypt"), body)
        return read_decrypted(answer.status, answer.body, layer)

    async def _ask(self, proxy: Proxy, target: str, body: bytes) -> OutboundAnswer:
        url = f"{proxy.url}/{target}"
        async with self._line(proxy).call():
            try:
                call = OutboundCall(
                    url=url,
                    method="POST",
                    headers=self._sign(proxy, url, body),
                    body=body,
                    timeout_s=XKS_CALL_S_MAX,
                    answer_bytes_max=XKS_ANSWER_BYTES_MAX,
                    trust=Trust(ca_pem=proxy.trust_pem, certificate_file=self._certificate_file),
                )
                return await self._outbound.fetch(call)
            except OutboundError as error:
                raise KeyServerError(_lapse_of(error), f"The external key store proxy cannot be asked: {error}") from error

    def _line(self, proxy: Proxy) -> _Line:
        line = self._lines.pop(proxy, None) or _Line()
        while len(self._lines) >= LINES_MAX:
            del self._lines[next(iter(self._lines))]
        self._lines[proxy] = line
        return line

    def _sign(self, proxy: Proxy, url: str, body: bytes) -> list[tuple[str, str]]:
        """Return the headers of a call, signed (AWS Signature Version 4) over host and time, as the specification has it."""
        endpoint = parse_endpoint(url)
        moment = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{moment[:8]}/{self._region}/{SERVICE}/aws4_request"
        signed = f"host:{endpoint.authority}\nx-amz-date:{moment}\n\nhost;x-amz-date"
        canonical = f"POST\n{endpoint.target}\n\n{signed}\n{sha256(body).hexdigest()}"
        to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._signing_key(proxy, moment[:8]), to_sign.encode(), "sha256").hex()
        credential = f"Credential={proxy.access_key_id}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}"
        return [
            ("content-type", "application/json"),
            ("x-amz-date", moment),
            ("authorization", f"AWS4-HMAC-SHA256 {credential}"),
        ]

    def _signing_key(self, proxy: Proxy, day: str) -> bytes:
        known = self._signing_keys.get((proxy.secret, day))
        if known is None:
            if len(self._signing_keys) >= LINES_MAX:
                self._signing_keys.clear()
            known = self._signing_keys[proxy.secret, day] = signing_key(proxy.secret, day, self._region, SERVICE)
        return known


def _lapse_of(error: OutboundError) -> Lapse:
    if isinstance(error, OutboundTimeoutError):
        return Lapse.TIMEOUT
    return Lapse.TLS if isinstance(error, OutboundTlsError) else Lapse.UNREACHABLE


def _busy() -> KeyServerError:
    return KeyServerError(Lapse.BUSY, "Too many calls to the external key store proxy are under way.")
