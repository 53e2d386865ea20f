"""The configuration as text: the file that `siegel init` writes, and the reference page. Both are made from the model."""

import json
import types
from collections.abc import Mapping
from typing import Any, Final, Literal, Union, get_args, get_origin

from siegel.app.config import ENV_PREFIX, Config

_REFERENCE_HEAD: Final = """# Configuration

Generated from `src/siegel/app/config.py`; `tests/house/` keeps the two alike.

A setting is taken from the first of these that names it: the command's flag, the environment, the file `siegel.toml` in the data
directory, the default. A name that is no setting is refused in each of them. Secrets are never settings: a setting
may name the file that holds one.

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
    for name, field in Config.model_fields.items():
        lines.append(f"# {field.description}")
        if name in given:
            lines.append(f"{name} = {_toml(given[name])}")
        elif field.default is None:
            lines.append(f"# {name} =")
        else:
            lines.append(f"# {name} = {_toml(field.default)}")
        lines.append("")
    return "\n".join(lines)


def render_reference() -> str:
    """Return the text of `docs/reference/configuration.md`."""
    rows = []
    for name, field in Config.model_fields.items():
        default = "unset" if field.default is None else f"`{_toml(field.default)}`"
        flag = f"`{_FLAGS[name]}`" if name in _FLAGS else ""
        cells = [
            f"`{name}`",
            f"`{ENV_PREFIX}{name.upper()}`",
            flag,
            _type_name(field.annotation),
            default,
            field.description or "",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return _REFERENCE_HEAD + "\n".join(rows) + "\n"


def _toml(value: Any) -> str:
    """Write a value as TOML. For text, numbers, booleans and lists of text, JSON is TOML."""
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _type_name(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin in {Union, types.UnionType}:
        return " or ".join(_type_name(part) for part in get_args(annotation) if part is not type(None))
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if origin is tuple:
        return "list of text"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}.get(annotation, "path")
