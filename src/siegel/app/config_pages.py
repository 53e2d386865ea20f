"""The configuration as text: the file that `siegel init` writes, and the reference page. Both are made from the one class."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

from msgspec import Meta, structs

from siegel.app.config import ENV_PREFIX, Config

_REFERENCE_HEAD: Final = """# Configuration

Generated from `src/siegel/app/config.py`; a test in `tests/house/` keeps the two alike.

A setting is taken from the first of these that names it: the command's flag, the environment, the file `siegel.toml` in the data
directory, the default. A name that is no setting is refused in each of them. Secrets are never settings: a setting may name the
file that holds one.

| Setting | Environment | Flag of `siegel serve` | Type | Default | Meaning |
|---|---|---|---|---|---|
"""

_FLAGS: Final = {
    "s3": "--s3",
    "console": "--console",
    "admin": "--admin",
    "workers": "--workers",
    "tls_cert": "--tls-cert",
    "tls_key": "--tls-key",
    "domains": "--domain",
}


def render_file(given: Mapping[str, str]) -> str:
    """Return the text of a fresh `siegel.toml`: `given` as settings, all others as comments with their defaults."""
    lines = [
        "# The configuration of this Siegel deployment. Uncomment a line to change a setting; then start the service again.",
        "",
    ]
    for name, default, _, description in _fields():
        lines.append(f"# {description}")
        if name in given:
            lines.append(f"{name} = {_toml(given[name])}")
        else:
            lines.append(f"# {name} =" if default is None else f"# {name} = {_toml(default)}")
        lines.append("")
    return "\n".join(lines)


def render_reference() -> str:
    """Return the text of `docs/reference/configuration.md`."""
    rows = []
    for name, default, kind, description in _fields():
        flag = f"`{_FLAGS[name]}`" if name in _FLAGS else ""
        shown = "unset" if default is None else f"`{_toml(default)}`"
        rows.append(f"| `{name}` | `{ENV_PREFIX}{name.upper()}` | {flag} | {_type_name(kind)} | {shown} | {description} |")
    return _REFERENCE_HEAD + "\n".join(rows) + "\n"


def _fields() -> Iterator[tuple[str, Any, Any, str]]:
    """Yield name, default, type and description of every setting."""
    hints = get_type_hints(Config, include_extras=True)
    for field in structs.fields(Config):
        kind, *extras = get_args(hints[field.name])
        description = next(extra.description for extra in extras if isinstance(extra, Meta))
        yield field.name, field.default, kind, description or ""


def _toml(value: Any) -> str:
    """Write a value as TOML. For text, numbers, booleans and lists of text, JSON is TOML."""
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _type_name(kind: Any) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is tuple:
        return "list of text"
    if origin is Annotated:
        return _type_name(arguments[0])
    if arguments:
        return _type_name(arguments[0])
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}[kind]
