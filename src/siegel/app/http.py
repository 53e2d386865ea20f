"""The HTTP server of one process: granian's embedded server around an ASGI application, in the process's own event loop."""

from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, Final

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.server.embed import Server

from siegel.app.settings import Address
from siegel.app.sockets import BACKLOG_CONNECTIONS, listen

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# Connections that one process serves at a time; slow ones must not keep others out.
CONNECTIONS_MAX: Final = 16_384
# A head must be complete, and a connection may idle, for so long.
HEADER_READ_MS_MAX: Final = 30_000


class HttpServer(Server):
    """granian on a socket that listens before anybody is told so."""

    _shd: Any

    def __init__(
        self,
        application: Application,
        address: Address,
        *,
        tls_cert: str | None = None,
        tls_key: str | None = None,
        client_ca: str | None = None,
    ) -> None:
        """Listen on `address`. With `client_ca`, only clients with a certificate of these authorities get in.

        Raises OSError if that is not possible.
        """
        self._listener = listen(address)
        super().__init__(
            application,
            address=address.host,
            port=address.port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=HEADER_READ_MS_MAX),
            websockets=False,
            runtime_threads=1,
            backlog=BACKLOG_CONNECTIONS,
            backpressure=CONNECTIONS_MAX,
            log_enabled=False,
            ssl_cert=Path(tls_cert) if tls_cert else None,
            ssl_key=Path(tls_key) if tls_key else None,
            ssl_protocol_min=SSLProtocols.tls12,
            ssl_ca=Path(client_ca) if client_ca else None,
            ssl_client_verify=client_ca is not None,
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        found: int = self._listener.getsockname()[1]
        return found

    def _init_shared_socket(self) -> None:
        self._shd = SocketHolder(self._listener.fileno(), False, BACKLOG_CONNECTIONS)  # type: ignore[call-arg]  # the library's stub leaves its arguments out

    async def run(self) -> None:
        """Serve until `stop` is called and the requests in flight are answered.

        Raises RuntimeError if the server ends by itself.
        """
        await self.serve()
        if not self.interrupt_signal:
            raise RuntimeError("the HTTP server ended without being told to")
