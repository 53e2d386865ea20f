"""The deployment's configuration: every setting once, with its type, its default and its meaning.

Precedence: flag > environment (`SIEGEL_` and the field's name in capitals) > `DIR/siegel.toml` > default. Unknown names are
refused in all three. No setting holds a secret, and no secret has a default: keys are named by the file that holds them.
`docs/reference/configuration.md` is generated from this class.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from siegel.app.settings import Settings, TokenKey, default_root_key_file, default_workers, parse_address
from siegel.domain.addresses import parse_allowed
from siegel.domain.errors import ConfigurationError

CONFIG_FILE: Final = "siegel.toml"
ENV_PREFIX: Final = "SIEGEL_"

# Names that are no settings: the fault tests' own, a PIN, and those of orchestrators that announce a service called "siegel".
_ENV_FOREIGN = re.compile(r"SIEGEL_(FAULT_POINT|PKCS11_PIN|SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\w+)?)")
_LISTS: Final = frozenset({"domains", "trusted_proxies", "outbound_allow"})
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_REGION = re.compile(_LABEL)
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_DOMAIN_CHARS_MAX: Final = 253


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator may decide about one deployment."""

    region: Annotated[str, Meta(description="Region of every bucket, for which clients sign. Chosen once, at `siegel init`.")] = (
        "eu-central-1"
    )
    s3: Annotated[str, Meta(description="Address of the S3 port. Port 0 lets the system choose one.")] = "127.0.0.1:9000"
    console: Annotated[str, Meta(description="Address reserved for the console. Nothing listens on it yet.")] = "127.0.0.1:9001"
    admin: Annotated[str, Meta(description="Address of the admin port (`/-/live`, `/-/ready`). Keep it on loopback.")] = (
        "127.0.0.1:9002"
    )
    workers: Annotated[
        Annotated[int, Meta(ge=1, le=256)] | None,
        Meta(description="Number of processes that serve S3. Unset: one per processor."),
    ] = None
    tls_cert: Annotated[str | None, Meta(description="PEM file of the S3 port's certificate chain. Goes with `tls_key`.")] = None
    tls_key: Annotated[str | None, Meta(description="PEM file of the certificate's private key, in PKCS#8 form.")] = None
    domains: Annotated[
        tuple[str, ...],
        Meta(description="Domains below which `BUCKET.DOMAIN` names a bucket. In the environment: separated by commas."),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description="Networks (CIDR) of proxies that are believed about a client's address (X-Forwarded-For) and scheme "
            "(X-Forwarded-Proto). In the environment: separated by commas."
        ),
    ] = ()
    outbound_allow: Annotated[
        tuple[str, ...],
        Meta(
            description="What accounts may name as identity provider, external key store or witness although it is not public: "
            "`HOST:PORT` and networks (CIDR). All else is asked over https at public addresses only. "
            "In the environment: separated by commas."
        ),
    ] = ()
    key_server_cert: Annotated[
        str | None,
        Meta(
            description="PEM file of the certificate, and its private key in PKCS#8 form, by which external key stores' proxies "
            "know this deployment, where they want one."
        ),
    ] = None
    root_key_file: Annotated[
        str | None, Meta(description="File of the root key, mode 0600. Unset: `root.key` in the data directory.")
    ] = None
    pkcs11_module: Annotated[
        str | None, Meta(description="Library of the PKCS#11 module whose token holds the root key. Goes with `pkcs11_token`.")
    ] = None
    pkcs11_token: Annotated[str | None, Meta(description="Label of the PKCS#11 token. Unset: the root key rests in a file.")] = (
        None
    )
    pkcs11_key: Annotated[str, Meta(description="Label of the root key in the token; `siegel init` makes it there.")] = (
        "siegel-root"
    )
    pkcs11_pin_file: Annotated[
        str | None, Meta(description="File of the token's PIN, mode 0600. Unset: the PIN is taken from `SIEGEL_PKCS11_PIN`.")
    ] = None
    sse_c_default: Annotated[
        Literal["blocked", "allowed"],
        Meta(description="Whether a bucket whose settings say nothing about it accepts keys sent with a request (SSE-C)."),
    ] = "blocked"
    sse_c_over_http: Annotated[
        bool, Meta(description="Accept SSE-C over plain HTTP, where the network can read the key. For tests.")
    ] = False
    grace_s: Annotated[
        float,
        Meta(
            ge=0,
            description="Seconds from the release of a blob to the removal of its file. "
            "What a download that began before still wants stays longer.",
        ),
    ] = 3600
    steward_interval_s: Annotated[float, Meta(gt=0, description="Seconds between two rounds of the steward, who tidies up.")] = 60
    lifecycle_day_s: Annotated[
        float, Meta(gt=0, description="Seconds of a day as lifecycles count days. For tests; real deployments leave it alone.")
    ] = 86_400
    stop_grace_s: Annotated[
        float, Meta(ge=0, description="Seconds that requests in flight get to finish when the service stops.")
    ] = 30
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="The least severe messages that are written to standard error."),
    ] = "info"

    def __post_init__(self) -> None:
        """Check what types cannot say; msgspec turns the ValueError into its own, with the path of the value."""
        for address in (self.s3, self.console, self.admin):
            parse_address(address)
        if not _REGION.fullmatch(self.region):
            raise ValueError(f"{self.region!r} is not a region: use lower-case letters, digits and dashes, as in eu-central-1")
        for domain in self.domains:
            if len(domain) > _DOMAIN_CHARS_MAX or not _DOMAIN.fullmatch(domain):
                raise ValueError(f"{domain!r} is not a domain name in lower case, as in s3.example.org")
        for network in self.trusted_proxies:
            ip_network(network)
        parse_allowed(self.outbound_allow)
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together: give both or neither")
        if (self.pkcs11_module is None) != (self.pkcs11_token is None):
            raise ValueError("pkcs11_module and pkcs11_token go together: give both or neither")
        if self.pkcs11_token is not None and self.root_key_file is not None:
            raise ValueError("root_key_file and pkcs11_token both say where the root key rests: give one")


def load_config(directory: Path, flags: Mapping[str, Any]) -> Config:
    """Read the configuration of the deployment in `directory`; flags that are None count as not given.

    Raises ConfigurationError: no deployment there, unreadable file, unknown name, bad value.
    """
    try:
        written = _read_file(directory / CONFIG_FILE)
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigurationError(
            f"{directory} holds no Siegel deployment (there is no {CONFIG_FILE} in it)\ntry: siegel init {directory}"
        ) from None
    return merge(written, flags)


def merge(written: Mapping[str, Any], flags: Mapping[str, Any]) -> Config:
    """Merge flags, environment and what the file says. Raises ConfigurationError."""
    given = {name: str(value) if isinstance(value, Path) else value for name, value in flags.items() if value is not None}
    values = {**written, **_read_environment(os.environ), **given}
    try:
        # Not strict: the environment has only text, and "8" there is the number 8.
        return msgspec.convert(values, Config, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"the configuration is not valid: {_describe(str(error))}") from None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from None
    except UnicodeError:
        raise ConfigurationError(f"{path} is no text in UTF-8") from None
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None


def _read_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    unknown: list[str] = []
    for name, value in environment.items():
        field = name.removeprefix(ENV_PREFIX).lower()
        if not name.startswith(ENV_PREFIX) or _ENV_FOREIGN.fullmatch(name):
            continue
        if field not in Config.__struct_fields__:
            unknown.append(name)
        found[field] = [item.strip() for item in value.split(",") if item.strip()] if field in _LISTS else value
    if unknown:
        names = sorted(unknown)
        raise ConfigurationError(f"the environment sets what is no setting: {', '.join(names)}\ntry: unset {' '.join(names)}")
    return found


def _describe(message: str) -> str:
    """Turn the library's sentence into ours: it names a field as a path, `$.name`."""
    message = re.sub(r"Object contains unknown field `(\w+)`", r"\1 is no setting", message)
    return re.sub(r"^(.*) - at `\$\.([^`]*)`$", r"\2: \1", message)


def resolve(config: Config, directory: Path) -> Settings:
    """Turn a configuration into what the processes are told: absolute paths, parsed addresses, every default filled in."""
    directory = directory.absolute()
    root_key_file = Path(config.root_key_file) if config.root_key_file else default_root_key_file(directory)
    return Settings(
        directory=str(directory),
        region=config.region,
        s3=parse_address(config.s3),
        admin=parse_address(config.admin),
        workers=config.workers or default_workers(),
        tls_cert=_absolute(config.tls_cert),
        tls_key=_absolute(config.tls_key),
        domains=config.domains,
        trusted_proxies=config.trusted_proxies,
        outbound_allow=config.outbound_allow,
        key_server_cert=_absolute(config.key_server_cert),
        root_key_file=str(root_key_file.absolute()),
        root_token_key=token_key(config),
        pkcs11_pin_file=_absolute(config.pkcs11_pin_file),
        sse_c_default=config.sse_c_default,
        sse_c_over_http=config.sse_c_over_http,
        grace_s=config.grace_s,
        steward_interval_s=config.steward_interval_s,
        lifecycle_day_s=config.lifecycle_day_s,
        stop_grace_s=config.stop_grace_s,
        log_level=config.log_level,
    )


def _absolute(path: str | None) -> str | None:
    return str(Path(path).absolute()) if path else None


def token_key(config: Config) -> TokenKey | None:
    """Return where in a token the root key rests, if it does."""
    if config.pkcs11_module is None or config.pkcs11_token is None:
        return None
    module = str(Path(config.pkcs11_module).absolute())
    return TokenKey(module=module, token=config.pkcs11_token, key=config.pkcs11_key, pin_file=_absolute(config.pkcs11_pin_file))
