"""Writes the clients' pages of the docs from the settings that the suite tests: `python client_pages.py [--check]`."""

import difflib
import json
import re
import sys
from pathlib import Path

from client_settings import HERE, ClientSettings, Route, Scheme, SettingsFile, Style, all_settings

PAGES = HERE.parent.parent / "docs" / "howto" / "clients"
SHOWN = {
    "endpoint": "https://s3.example.com",
    "host": "s3.example.com",
    "scheme": "https",
    "region": "eu-central-1",
    "access_key_id": "YOUR_ACCESS_KEY_ID",
    "secret_access_key": "YOUR_SECRET_ACCESS_KEY",
    "ca_file": "/path/to/ca.pem",
    "bucket": "my-bucket",
    "folder": "./files",
    "object": "report.pdf",
    "target": "archive/report.pdf",
    "file": "report.pdf",
    "offset": "1000",
    "count": "2000",
    "config": "config.yml",
    "password": "A_LONG_PASSWORD",
    "keybox_endpoint": "https://keybox.example.com:9443",
    "keybox_access_key_id": "ACCESS_KEY_ID_OF_THE_BOX",
    "keybox_secret_access_key": "SECRET_ACCESS_KEY_OF_THE_BOX",
    "keybox_key_id": "alias/evidence",
}
WRITTEN = "<!-- Written by tests/clients/client_pages.py from the settings that `make clients` tests. Change those. -->\n"


def rendered_pages() -> dict[str, str]:
    """Return every page by its file name."""
    clients = all_settings()
    pages = {f"{client.name}.md": _page(client) for client in clients}
    return {"README.md": _index(clients), **pages}


def _page(client: ClientSettings) -> str:
    blocks = [
        f"# {client.title}",
        WRITTEN.rstrip(),
        client.about,
        _block("sh", client.install),
        _tested_with(client),
        "## Settings",
        *_settings(client),
        *_differences(client),
        *_commands(client),
        "## What is tested",
        _points(client.tested),
        "## Good to know",
        _points([*client.traps, *_addressing(client)]),
    ]
    return "\n\n".join(blocks) + "\n"


def _tested_with(client: ClientSettings) -> str:
    versions = ", ".join(f"{name} {client.version or _pinned(client.home, name)}" for name in client.packages)
    ways = " and ".join({Style.PATH: "path style", Style.VIRTUAL: "virtual host"}[style] for style in client.styles)
    return f"Tested with {versions}, over plain HTTP and TLS, by {ways}."


def _settings(client: ClientSettings) -> list[str]:
    route = Route(Scheme.TLS, Style.PATH)
    blocks = []
    for file in client.files:
        blocks.append(f"{file.caption or 'Write this'} (`{_place(file)}`):")
        blocks.append(_block(file.language, client.fill(file.text, route, SHOWN).strip()))
    variables = client.environment(route, SHOWN)
    if variables:
        blocks.append("Export:")
        blocks.append(_block("sh", "\n".join(f"export {name}={_quoted(value)}" for name, value in variables.items())))
    if any("@ca_file@" in text for text in (*client.env.values(), *(file.text for file in client.files))):
        blocks.append("Leave out what names `/path/to/ca.pem`, unless your certificate comes from an authority of your own.")
    return blocks


def _place(file: SettingsFile) -> str:
    return f"~/{file.path}" if file.path.startswith(".") else file.path


def _differences(client: ClientSettings) -> list[str]:
    """Say what changes by virtual host or by plain HTTP: the same fields with their other values."""
    told = {
        "virtual": "For virtual host addressing",
        "http": "For plain HTTP",
    }
    usual = {**client.values.get("path", {}), **client.values.get("https", {})}
    lines = []
    for way, words in told.items():
        for name, value in client.values.get(way, {}).items():
            route = Route(Scheme.PLAIN if way == "http" else Scheme.TLS, Style.VIRTUAL if way == "virtual" else Style.PATH)
            before, after = (client.fill(text, route, SHOWN) for text in (usual[name], value))
            lines.append(f"{words}, write `{after}` in place of `{before}`{_where(client, name)}.")
    return [_points(lines)] if lines else []


def _where(client: ClientSettings, name: str) -> str:
    """Name the setting on whose line the value stands, where there is one."""
    texts = [*(file.text for file in client.files), *(f"{key} = {text}" for key, text in client.env.items())]
    for line in "\n".join(texts).splitlines():
        if f"@{name}@" in line and (setting := re.match(r'\W*([A-Za-z_.]+)["\']?\s*[:=\s({]', line)):
            return f" (`{setting[1]}`)"
    options = re.search(rf"([\w.-]+)=@{name}@", "\n".join(client.commands.values()))
    return f" (`{options[1]}`)" if options else ""


def _commands(client: ClientSettings) -> list[str]:
    if not client.commands:
        return []
    route = Route(Scheme.TLS, Style.PATH)
    lines = [client.fill(command, route, SHOWN) for command in client.commands.values()]
    return ["## Commands", _block("sh", "\n".join(lines))]


def _addressing(client: ClientSettings) -> list[str]:
    if Style.VIRTUAL not in client.styles:
        return []
    return [
        "Virtual host addressing needs `siegel serve --domain s3.example.com`, and DNS and a certificate for `*.s3.example.com`."
    ]


def _pinned(home: str, package: str) -> str:
    if home == "npm":
        return str(json.loads((HERE / "npm" / "package.json").read_text(encoding="utf-8"))["dependencies"][package])
    for line in (HERE / "requirements" / f"{home}.txt").read_text(encoding="utf-8").splitlines():
        name, _, version = line.partition("==")
        if name.replace("_", "-").lower() == package:
            return version
    raise KeyError(f"{package} is not pinned in set {home}")


def _index(clients: list[ClientSettings]) -> str:
    rows = [f"| [{client.title}]({client.name}.md) | {client.about} |" for client in clients]
    table = "| Client | What it is |\n|---|---|\n" + "\n".join(rows)
    told = (
        "Any S3 client works with Siegel. These are tested with real files in every release, over plain HTTP and TLS; "
        "each page shows the settings that were tested. `make clients` runs the tests."
    )
    return f"# Clients\n\n{WRITTEN}\n{told}\n\n{table}\n"


def _block(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def _points(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value else value


def _differing() -> list[str]:
    """Return a diff of the pages as they are and as they should be."""
    wanted = rendered_pages()
    present = {path.name: path.read_text(encoding="utf-8") for path in PAGES.glob("*.md")} if PAGES.exists() else {}
    return [
        line
        for name in sorted({*wanted, *present})
        for line in difflib.unified_diff(
            present.get(name, "").splitlines(), wanted.get(name, "").splitlines(), name, f"{name} (tested)", lineterm=""
        )
    ]


def write_pages(folder: Path) -> None:
    """Write every page into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in rendered_pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if "--check" in sys.argv:
        differing = _differing()
        print("\n".join(differing))
        sys.exit(1 if differing else 0)
    write_pages(PAGES)
