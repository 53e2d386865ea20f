"""Stands between a client and the store over plain HTTP, passes every byte on, and notes which hosts the client names.

On demand it also keeps what the client sends: one file for each connection.

A client that quietly falls back to path style would otherwise pass for one that speaks virtual host.
"""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Thread

BLOCK_BYTES = 1 << 18
_HOST = re.compile(rb"\r\nhost: *([^\r\n:]+)", re.IGNORECASE)


class HostListener:
    """A forwarder on a port of its own. `hosts` are the host names seen in requests, without the port."""

    def __init__(self, target_port: int, trace: Path | None = None) -> None:
        """Listen at once; connections go on to `target_port` of this machine. `trace` is the folder that keeps what is sent."""
        self.hosts: set[str] = set()
        self._target_port = target_port
        self._trace = trace
        self._numbers = count()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listening.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target_port)) as store:
            back = Thread(target=_pass_on, args=(store, client), daemon=True)
            back.start()
            _pass_on(client, store, self._keeper())
            back.join()

    def _keeper(self) -> Callable[[bytes], None]:
        """Return what is to see every block of one connection."""
        if self._trace is None:
            return self._note
        kept = self._trace / str(next(self._numbers))

        def note_and_keep(block: bytes) -> None:
            self._note(block)
            with kept.open("ab") as file:
                file.write(block)

        return note_and_keep

    def _note(self, block: bytes) -> None:
        self.hosts.update(host.decode() for host in _HOST.findall(block[:8192]))


def _pass_on(source: socket.socket, target: socket.socket, note: Callable[[bytes], None] = lambda _: None) -> None:
    with suppress(OSError):
        while block := source.recv(BLOCK_BYTES):
            note(block)
            target.sendall(block)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def listening_to(port: int, trace: Path | None = None) -> Iterator[HostListener]:
    """Listen to a client for a while."""
    listener = HostListener(port, trace)
    try:
        yield listener
    finally:
        listener.close()
