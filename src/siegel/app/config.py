"""The deployment's configuration: every setting once, with its type, its default and its meaning.

Precedence: flag > environment (`SIEGEL_` and the field's name in capitals) > `DIR/siegel.toml` > default. Unknown names are
refused in all three. No setting holds a secret, and no secret has a default: keys are named by the file that holds them.
`docs/reference/configuration.md` is generated from this model.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from siegel.app.settings import Settings, default_root_key_file, default_workers, parse_address
from siegel.domain.errors import ConfigurationError

CONFIG_FILE: Final = "siegel.toml"
ENV_PREFIX: Final = "SIEGEL_"

# Names that others than the operator set: the fault tests, and orchestrators that announce a service called "siegel".
_ENV_FOREIGN = re.compile(r"SIEGEL_(FAULT_POINT|SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\w+)?)")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_REGION = re.compile(_LABEL)
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_DOMAIN_CHARS_MAX = 253


def _split_commas(value: object) -> object:
    if not isinstance(value, str):
        return value
    return [item.strip() for item in value.split(",") if item.strip()]


class Config(BaseSettings):
    """What an operator may decide about one deployment."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True)

    region: str = Field(
        "eu-central-1", description="Region of every bucket, for which clients sign. Chosen once, at `siegel init`."
    )
    s3: str = Field("127.0.0.1:9000", description="Address of the S3 port. Port 0 lets the system choose one.")
    console: str = Field("127.0.0.1:9001", description="Address reserved for the console. Nothing listens on it yet.")
    admin: str = Field("127.0.0.1:9002", description="Address of the admin port (`/-/live`, `/-/ready`). Keep it on loopback.")
    workers: int | None = Field(None, ge=1, le=256, description="Number of processes that serve S3. Unset: one per processor.")
    tls_cert: Path | None = Field(None, description="PEM file of the S3 port's certificate chain. Goes with `tls_key`.")
    tls_key: Path | None = Field(None, description="PEM file of the certificate's private key, in PKCS#8 form.")
    domains: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_commas)] = Field(
        (), description="Domains below which `BUCKET.DOMAIN` names a bucket. In the environment: separated by commas."
    )
    root_key_file: Path | None = Field(
        None, description="File of the root key, mode 0600. Unset: `root.key` in the data directory."
    )
    sse_c_default: Literal["blocked", "allowed"] = Field(
        "blocked", description="Whether a bucket whose settings say nothing about it accepts keys sent with a request (SSE-C)."
    )
    sse_c_over_http: bool = Field(
        default=False, description="Accept SSE-C over plain HTTP, where the network can read the key. For tests."
    )
    grace_s: float = Field(3600, ge=0, description="Seconds from the release of a blob to the removal of its file.")
    upload_expiry_s: float | None = Field(
        None, gt=0, description="Seconds after which an upload that nobody completed is aborted. Unset: never, as in S3."
    )
    steward_interval_s: float = Field(60, gt=0, description="Seconds between two rounds of the steward, who tidies up.")
    stop_grace_s: float = Field(30, ge=0, description="Seconds that requests in flight get to finish when the service stops.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least severe messages that are written to standard error."
    )

    @field_validator("s3", "console", "admin")
    @classmethod
    def _check_address(cls, value: str) -> str:
        parse_address(value)
        return value

    @field_validator("region")
    @classmethod
    def _check_region(cls, value: str) -> str:
        if not _REGION.fullmatch(value):
            raise ValueError(f"{value!r} is not a region name: use lower-case letters, digits and dashes, as in eu-central-1")
        return value

    @field_validator("domains")
    @classmethod
    def _check_domains(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for domain in value:
            if len(domain) > _DOMAIN_CHARS_MAX or not _DOMAIN.fullmatch(domain):
                raise ValueError(f"{domain!r} is not a domain name in lower case, as in s3.example.org")
        return value

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together: give both or neither")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Rank the sources: flags, environment, the directory's file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_config(directory: Path, flags: Mapping[str, Any]) -> Config:
    """Read the configuration of the deployment in `directory`; flags that are None count as not given.

    Raises ConfigurationError: no deployment there, unreadable file, unknown name, bad value. The message names them all.
    """
    path = directory / CONFIG_FILE
    if not path.is_file():
        raise ConfigurationError(
            f"{directory} holds no Siegel deployment (there is no {CONFIG_FILE} in it)\ntry: siegel init {directory}"
        )
    return read_config(path, flags)


def read_config(path: Path | None, flags: Mapping[str, Any]) -> Config:
    """Merge flags, environment and the file at `path`, if one is given. Raises ConfigurationError."""
    _refuse_unknown_environment(os.environ)

    class Located(Config):
        model_config = SettingsConfigDict(toml_file=path)

    try:
        return Located(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        problems = "; ".join(_describe(detail["loc"], detail["type"], detail["msg"]) for detail in error.errors())
        raise ConfigurationError(f"the configuration is not valid: {problems}\ntry: compare flags, SIEGEL_* and {path}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from None
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None


def _describe(place: tuple[int | str, ...], kind: str, message: str) -> str:
    name = ".".join(str(step) for step in place)
    if kind == "extra_forbidden":
        return f"{name} is no setting"
    message = message.removeprefix("Value error, ")
    return f"{name}: {message}" if name else message


def _refuse_unknown_environment(environment: Mapping[str, str]) -> None:
    known = {ENV_PREFIX + name.upper() for name in Config.model_fields}
    unknown = sorted(
        name
        for name in environment
        if name.upper().startswith(ENV_PREFIX) and name.upper() not in known and not _ENV_FOREIGN.fullmatch(name)
    )
    if unknown:
        raise ConfigurationError(f"the environment sets what is no setting: {', '.join(unknown)}\ntry: unset {' '.join(unknown)}")


def resolve(config: Config, directory: Path) -> Settings:
    """Turn a configuration into what the processes are told: absolute paths, parsed addresses, every default filled in."""
    directory = directory.absolute()
    root_key_file = config.root_key_file or default_root_key_file(directory)
    return Settings(
        directory=str(directory),
        region=config.region,
        s3=parse_address(config.s3),
        admin=parse_address(config.admin),
        workers=config.workers or default_workers(),
        tls_cert=str(config.tls_cert.absolute()) if config.tls_cert else None,
        tls_key=str(config.tls_key.absolute()) if config.tls_key else None,
        domains=config.domains,
        root_key_file=str(root_key_file.absolute()),
        sse_c_default=config.sse_c_default,
        sse_c_over_http=config.sse_c_over_http,
        grace_s=config.grace_s,
        upload_expiry_s=config.upload_expiry_s,
        steward_interval_s=config.steward_interval_s,
        stop_grace_s=config.stop_grace_s,
        log_level=config.log_level,
    )
