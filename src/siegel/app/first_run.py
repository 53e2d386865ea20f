"""The first run: from an empty directory to a deployment with one operator and one account."""

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from siegel.app.config import CONFIG_FILE, Config, merge, resolve
from siegel.app.config_pages import render_file
from siegel.app.settings import Settings
from siegel.app.wiring import create_deployment
from siegel.customer.keybox.durable import sync_folder
from siegel.domain.errors import ConfigurationError
from siegel.service.access_keys import AccessKey
from siegel.service.accounts import NewAccount, check_account_name


class FirstRun(Struct, frozen=True):
    """What the first run made. The secrets in it exist nowhere else in clear."""

    operator: AccessKey
    account: NewAccount
    config: Config
    root_key_file: Path


async def initialise(directory: Path, account_name: str, flags: Mapping[str, object]) -> FirstRun:
    """Make a deployment in `directory`, which must be empty or missing.

    The configuration file is written last: a directory without it is no deployment, whatever an interrupted run left there.
    Raises AccountError, ConfigurationError, StorageError.
    """
    check_account_name(account_name)
    config = merge({}, flags)
    _make_directory(directory)
    settings = resolve(config, directory)
    deployment = create_deployment(settings)
    try:
        operator = await deployment.accounts.create_operator()
        account = await deployment.accounts.create(account_name)
    finally:
        deployment.close()
    _write_durably(directory / CONFIG_FILE, render_file({"region": config.region, **_root_settings(config, settings)}))
    return FirstRun(operator=operator, account=account, config=config, root_key_file=Path(settings.root_key_file))


def _root_settings(config: Config, settings: Settings) -> dict[str, str]:
    """Return the settings that say where the root key rests, as far as they were given."""
    token_key = settings.root_token_key
    if token_key is None:
        return {} if config.root_key_file is None else {"root_key_file": settings.root_key_file}
    given = {"pkcs11_module": token_key.module, "pkcs11_token": token_key.token, "pkcs11_key": token_key.key}
    return given if token_key.pin_file is None else {**given, "pkcs11_pin_file": token_key.pin_file}


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        holds_something = any(directory.iterdir())
        is_deployment = (directory / CONFIG_FILE).exists()
    except OSError as error:
        raise ConfigurationError(f"{directory} cannot be used: {error.strerror}") from None
    if is_deployment:
        raise ConfigurationError(f"{directory} is initialised already\ntry: siegel serve {directory}")
    if holds_something:
        raise ConfigurationError(
            f"{directory} is not empty\ntry: another directory, or empty this one if an earlier init was interrupted"
        )


def _write_durably(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    sync_folder(path.parent)
