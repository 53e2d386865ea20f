"""A customer's key server for the verification's length: a box in a directory of its own, reached without any network.

It is the box that customers run, behind the port by which requests to others leave. The deployment's directory has none of it.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from msgspec import Struct

from siegel.app.verify.exchange import Target, exchange
from siegel.customer.keybox.content import Face
from siegel.customer.keybox.desk import Desk
from siegel.customer.keybox.folder import LOG_NAME
from siegel.customer.keybox.keeper import Keeper, Unlocked, initialise
from siegel.customer.keybox.logbook import Logbook
from siegel.customer.keybox.logfile import LogFile
from siegel.customer.keybox.server import KeyServer
from siegel.customer.keybox.xks import PATH
from siegel.domain.addresses import parse_endpoint
from siegel.domain.outbound import OutboundAnswer, OutboundCall

ENDPOINT: Final = "https://keybox.invalid"


class Box(Struct, frozen=True):
    """A box that answers: how the store reaches it, a key in it, and the members that make a key store of it."""

    outbound: "BoxOutbound"
    key_id: str
    store_options: Mapping[str, object]


class BoxOutbound:
    """Requests to others, of whom there is one. No address is looked up, and none is connected to."""

    def __init__(self, server: KeyServer) -> None:
        """Hand everything to `server`."""
        self._server = server

    def check(self, _url: str) -> None:
        """Let every URL pass: it leads to the box."""

    async def fetch(self, call: OutboundCall) -> OutboundAnswer:
        """Return the box's answer."""
        endpoint = parse_endpoint(call.url)
        headers = [("host", endpoint.authority), ("content-length", str(len(call.body))), *call.headers]
        answer = await exchange(self._server, Target(call.method, endpoint.target), headers, call.body)
        return OutboundAnswer(answer.status, tuple(answer.headers.items()), answer.body)


@asynccontextmanager
async def running_box() -> AsyncIterator[Box]:
    """Make a box with one key, and let it answer. Raises ConfigurationError, StorageError."""
    with TemporaryDirectory(prefix="siegel-verify-box-") as name:
        unlocked = Unlocked(Path(name) / "box")
        content = initialise(unlocked)
        key = Keeper(unlocked).create_key("verify")
        credential = next(held for held in content.credentials if held.face is Face.XKS)
        logbook = Logbook(LogFile(unlocked.folder / LOG_NAME))
        try:
            server = KeyServer(Desk(unlocked.open()), logbook)
            options: dict[str, object] = {
                "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
                "XksProxyConnectivity": "PUBLIC_ENDPOINT",
                "XksProxyUriEndpoint": ENDPOINT,
                "XksProxyUriPath": PATH,
                "XksProxyAuthenticationCredential": {
                    "AccessKeyId": credential.access_key_id,
                    "RawSecretAccessKey": credential.secret,
                },
            }
            yield Box(BoxOutbound(server), key.key_id, options)
        finally:
            logbook.close()
