"""Starting the service: everything that can be wrong is found here, before the first process begins.

In this order: the instance lock, the root key, the database (SQLite version, key, schema, keys of accounts), the certificate, the
ports. Then this process becomes the supervisor; the lock and the reserved ports stay open in it. Root key, database and
certificate are looked at by a process of its own, since from this one all others are forked.
"""

import fcntl
import importlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Final

from siegel.app.forking import fork
from siegel.app.orders import Orders
from siegel.app.settings import Address, Settings
from siegel.app.sockets import reserve
from siegel.app.tls import check_pair
from siegel.app.wiring import check_account_keys, open_deployment
from siegel.domain.errors import ConfigurationError, SiegelError, StorageError

LOCK_NAME: Final = "instance.lock"
# The processes of a service whose supervisor was killed are gone after a moment; whoever waits longer meets a second instance.
LOCK_PATIENCE_S: Final = 3.0
_LOCK_RETRY_S: Final = 0.02


def run_service(settings: Settings, make_hints: Callable[[Orders], str]) -> int:
    """Check everything, then be the supervisor of a running service to its end; return the exit status.

    What `make_hints` returns is printed behind the ready line. Raises ConfigurationError, StorageError.
    """
    lock = take_instance_lock(Path(settings.directory))
    check_apart(settings)
    orders = Orders(
        name="",
        settings=settings,
        s3=_reserve_port("s3", settings.s3),
        admin=_reserve_port("admin", settings.admin),
    )
    # What the processes need takes a while to be imported: who is refused does not wait for it.
    supervise: Callable[[Orders, int, str], int] = importlib.import_module("siegel.app.supervisor").supervise
    return supervise(orders, lock, make_hints(orders))


def check_apart(settings: Settings) -> None:
    """Check root key, database and certificate in a process that ends with that: none of them was ever in this one.

    Raises ConfigurationError, StorageError.
    """
    answers, answering = Pipe(duplex=False)
    checker = fork(partial(_check, settings, answering))
    answering.close()
    try:
        found: SiegelError | None = answers.recv()
    except EOFError:
        found = StorageError(f"what checks {settings.directory} ended without a word")
    answers.close()
    # Where who started this ignores the ends of processes, the kernel has forgotten it already.
    with suppress(ChildProcessError):
        os.waitpid(checker, 0)
    if found is not None:
        raise found


def _check(settings: Settings, answering: Connection) -> None:
    found = None
    try:
        deployment = open_deployment(settings)
        try:
            check_account_keys(deployment, settings, of_all=False)
        finally:
            deployment.close()
        check_certificate(settings)
    except SiegelError as error:
        found = error
    answering.send(found)


def take_instance_lock(directory: Path) -> int:
    """Return the descriptor of the held lock; the kernel lets go of it when the last process of the service has ended.

    Raises ConfigurationError if another service runs on the directory.
    """
    path = directory / LOCK_NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        if os.geteuid() == 0:
            # A command that root runs keeps the service's user from nothing.
            os.fchown(descriptor, directory.stat().st_uid, directory.stat().st_gid)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be opened: {error.strerror}") from None
    give_up_at = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up_at:
                os.close(descriptor)
                raise ConfigurationError(
                    f"another instance of the service runs on {directory}\ntry: stop it, or serve another directory"
                ) from None
            time.sleep(_LOCK_RETRY_S)
        else:
            return descriptor


def check_certificate(settings: Settings) -> None:
    """Check the certificate and key of the S3 port, and those for key servers, if there are any. Raises ConfigurationError."""
    if settings.tls_cert is not None and settings.tls_key is not None:
        check_pair(settings.tls_cert, settings.tls_key)
    if settings.key_server_cert is not None:
        check_pair(settings.key_server_cert, settings.key_server_cert)


def _reserve_port(name: str, address: Address) -> Address:
    try:
        reserved = reserve(address)
    except OSError as error:
        raise ConfigurationError(
            f"the {name} port {address} cannot be used: {error.strerror}\ntry: --{name} {Address(address.host, 0)}"
        ) from None
    port = reserved.getsockname()[1]
    # From here on the open descriptor belongs to the process.
    reserved.detach()
    return Address(address.host, port)
