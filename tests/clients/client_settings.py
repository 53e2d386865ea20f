"""Each client's settings: read from `settings/<client>.toml`, filled in for a route, and printed on its page in the docs.

What the pages show is what the tests ran: both come from these files and no other place.
"""

import re
import tomllib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_PLACE = re.compile(r"@([a-z_]+)@")


class Scheme(StrEnum):
    """How the client talks: several clients send other requests over TLS than over plain HTTP."""

    PLAIN = "http"
    TLS = "https"


class Style(StrEnum):
    """Where the bucket's name stands: in the path, or before the host name."""

    PATH = "path"
    VIRTUAL = "virtual"


@dataclass(frozen=True)
class Route:
    """One way from a client to the store."""

    scheme: Scheme
    style: Style

    def __str__(self) -> str:
        """Return the name used in test ids and bucket names: `tls-virtual`."""
        return f"{self.scheme.name.lower()}-{self.style.value}"


@dataclass(frozen=True)
class SettingsFile:
    """A file that the user writes: its place under the home folder, its text with places to fill, a line about it."""

    path: str
    text: str
    language: str = "ini"
    caption: str = ""


@dataclass(frozen=True)
class ClientSettings:
    """All that a user of one client has to know. The fields are those of the TOML file."""

    name: str
    title: str
    about: str
    install: str
    home: str
    """Where the suite keeps it: `a` to `d` (virtual environments), `npm`, or `debian`."""
    packages: list[str]
    styles: list[Style]
    tested: list[str]
    version: str = ""
    version_command: str = ""
    traps: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    files: list[SettingsFile] = field(default_factory=list)
    commands: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    """What differs between routes: `path`, `virtual`, `http`, `https`, each name -> text."""

    def routes(self) -> list[Route]:
        """Return every route that the client can take."""
        return [Route(scheme, style) for scheme in Scheme for style in self.styles]

    def fill(self, text: str, route: Route, values: dict[str, str]) -> str:
        """Put `values` and those of `route` into `text`; a line that names the CA file goes where there is no TLS."""
        if route.scheme is Scheme.PLAIN:
            text = "".join(line for line in text.splitlines(keepends=True) if "@ca_file@" not in line)
        known = {**values, **self.values.get(route.style, {}), **self.values.get(route.scheme, {})}
        once = _PLACE.sub(lambda place: known[place[1]], text)
        return _PLACE.sub(lambda place: known[place[1]], once)

    def environment(self, route: Route, values: dict[str, str]) -> dict[str, str]:
        """Return the variables to export on `route`."""
        filled = {name: self.fill(text, route, values) for name, text in self.env.items()}
        return {name: text for name, text in filled.items() if text}


def read_settings(name: str) -> ClientSettings:
    """Read one client's settings."""
    raw: dict[str, Any] = tomllib.loads((HERE / "settings" / f"{name}.toml").read_text(encoding="utf-8"))
    files = [SettingsFile(**entry) for entry in raw.pop("file", [])]
    styles = [Style(style) for style in raw.pop("styles")]
    return ClientSettings(name=name, styles=styles, files=files, **raw)


def all_settings() -> list[ClientSettings]:
    """Read every client's settings, by name."""
    return [read_settings(path.stem) for path in sorted((HERE / "settings").glob("*.toml"))]
