"""The buckets of the suite have fixed names, so that a hosts file can list them: `python bucket_names.py --hosts | --check`."""

import socket
import sys

from certificates import DOMAIN
from client_settings import ClientSettings, Route, Style, all_settings

ABSENT = "-absent"
"""Ends the names of buckets that are asked for and do not exist."""


def bucket_name(settings: ClientSettings, route: Route) -> str:
    """Return the name of the bucket that one client uses on one route."""
    return f"{settings.name}-{route}"


def host_names() -> list[str]:
    """Return every host name that the suite calls: the domain, and each bucket below it."""
    routes = [(client, route) for client in all_settings() for route in client.routes() if route.style is Style.VIRTUAL]
    buckets = [bucket_name(client, route) for client, route in routes]
    return [DOMAIN, *(f"{bucket}{ending}.{DOMAIN}" for bucket in buckets for ending in ("", ABSENT))]


def resolves(name: str) -> bool:
    """Tell whether the system leads `name` to this machine."""
    try:
        found = socket.getaddrinfo(name, 80, family=socket.AF_INET)
    except OSError:
        return False
    return all(address[0] == "127.0.0.1" for *_, address in found)


if __name__ == "__main__":
    if "--hosts" in sys.argv:
        print("".join(f"127.0.0.1 {name}\n" for name in host_names()), end="")
    elif not all(map(resolves, host_names())):
        sys.exit(1)
