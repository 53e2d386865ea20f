"""`siegel keybox`: the customer's own key server. It runs at the customer's, and needs nothing of the store."""

import json as json_words
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from siegel.app.commands.options import AsJson
from siegel.app.output import print_json, print_once, print_table, print_text
from siegel.customer.keybox.certificates import public_key_of, verify_certificate
from siegel.customer.keybox.content import Content, Credential, Face
from siegel.customer.keybox.desk import load_policy
from siegel.customer.keybox.folder import POLICY_NAME
from siegel.customer.keybox.keeper import Keeper, Unlocked, initialise
from siegel.customer.keybox.tokensession import TokenPlace
from siegel.customer.keybox.xks import PATH
from siegel.domain.errors import ConfigurationError
from siegel.domain.moments import encode_time

Folder = Annotated[Path, Parameter(name="DIR", help="The directory of the box.")]


@dataclass(frozen=True)
class Opening:
    """What opens a box."""

    key_file: Annotated[
        Path | None, Parameter(help="File with the key that opens the box, mode 0600; DIR/box.key unless given.")
    ] = None
    passphrase_file: Annotated[Path | None, Parameter(help="File with the passphrase that opens the box, mode 0600.")] = None
    pkcs11_module: Annotated[
        Path | None, Parameter(env_var="SIEGEL_KEYBOX_PKCS11_MODULE", help="Library of the token with keys of the box.")
    ] = None
    pkcs11_token: Annotated[str | None, Parameter(env_var="SIEGEL_KEYBOX_PKCS11_TOKEN", help="Label of the token.")] = None
    pkcs11_pin_file: Annotated[
        Path | None, Parameter(env_var="SIEGEL_KEYBOX_PKCS11_PIN_FILE", help="File with the PIN of the token, mode 0600.")
    ] = None

    def of(self, folder: Path) -> Unlocked:
        """Return where the box in `folder` is, what opens it, and its token. Raises ConfigurationError."""
        named = self.pkcs11_module, self.pkcs11_token, self.pkcs11_pin_file
        place = None
        if self.pkcs11_module and self.pkcs11_token and self.pkcs11_pin_file:
            place = TokenPlace(self.pkcs11_module, self.pkcs11_token, self.pkcs11_pin_file)
        elif any(named):
            raise ConfigurationError("a token has three\ntry: --pkcs11-module, --pkcs11-token, --pkcs11-pin-file")
        return Unlocked(folder, self.key_file, self.passphrase_file, place)


Opened = Annotated[Opening, Parameter(name="*")]
NOTHING_SAID = Opening()
KeyName = Annotated[str, Parameter(name="KEY", help="Id or name of the key.")]

_INIT_TEXT = """\
The box {content.box_id} is made in {folder}.

  for the store   uri path           {uri_path}
  (XKS)           access key id      {xks.access_key_id}
                  secret access key  {xks.secret}

  for clients     access key id      {kms.access_key_id}
  (KMS)           secret access key  {kms.secret}

  certificates    public key         {public_key}

The secrets are shown this once. Keep copies of {folder} and of what opens it, in two places: without both, no key of the box
opens anything ever again.
next: siegel keybox create-key {folder} NAME"""
_CREDENTIAL_TEXT = """\
access key id      {made.access_key_id}
secret access key  {made.secret}

The secret is shown this once. Both credentials are valid now: once the new one is in use, retire the old one."""

_LOST = """\
{}, and nobody has its secrets
try: siegel keybox credential rotate {}, and retire what nobody has"""


def init(
    folder: Folder,
    /,
    *,
    opened: Opened = NOTHING_SAID,
    uri_prefix: Annotated[str, Parameter(help="What comes in front of /kms/xks/v1 in the path, beginning with a slash.")] = "",
    json: AsJson = False,
) -> None:
    """Make a box; the help text is in `keybox_cli.py`."""
    content = initialise(opened.of(folder), uri_prefix)
    xks, kms = (next(held for held in content.credentials if held.face is face) for face in Face)
    uri_path, public_key = content.uri_prefix + PATH, public_key_of(content)
    if json:
        told = json_words.dumps(
            {
                "box_id": content.box_id,
                "public_key": public_key,
                "xks": {
                    "XksProxyUriPath": uri_path,
                    "XksProxyAuthenticationCredential": {"AccessKeyId": xks.access_key_id, "RawSecretAccessKey": xks.secret},
                },
                "kms": {"access_key_id": kms.access_key_id, "secret_access_key": kms.secret},
            }
        )
    else:
        told = _INIT_TEXT.format(content=content, folder=folder, xks=xks, kms=kms, uri_path=uri_path, public_key=public_key)
    print_once(told, _LOST.format(f"the box is made in {folder}", folder))


def create_key(
    folder: Folder,
    name: Annotated[str | None, Parameter(name="NAME", help="Name of the key, for people; its id unless given.")] = None,
    /,
    *,
    in_token: Annotated[bool, Parameter(negative="", help="Make the key in the PKCS#11 token, which it never leaves.")] = False,
    opened: Opened = NOTHING_SAID,
    json: AsJson = False,
) -> None:
    """Make an AES-256 key in the box and print its id."""
    made = Keeper(opened.of(folder)).create_key(name, in_token=in_token)
    if json:
        print_json({"key_id": made.key_id, "name": made.name})
    else:
        print_text(made.key_id)


def list_keys(folder: Folder, /, *, opened: Opened = NOTHING_SAID, json: AsJson = False) -> None:
    """List the keys of the box, the destroyed ones too."""
    content = Keeper(opened.of(folder)).content
    rows: list[dict[str, object]] = [
        {
            "key_id": key.key_id,
            "name": key.name,
            "state": "enabled" if key.is_enabled else "disabled",
            "created_at": encode_time(key.created_at_ms / 1000),
        }
        for key in content.keys
    ]
    rows += [
        {"key_id": gone.key_id, "name": gone.name, "state": "destroyed", "created_at": encode_time(gone.created_at_ms / 1000)}
        for gone in content.destroyed
    ]
    if json:
        print_json({"box_id": content.box_id, "public_key": public_key_of(content), "keys": rows})
    else:
        print_table(["key_id", "name", "state", "created_at"], rows)


def disable(folder: Folder, key: KeyName, /, *, opened: Opened = NOTHING_SAID) -> None:
    """Disable a key, from the next call on."""
    changed = Keeper(opened.of(folder)).set_enabled(key, is_enabled=False)
    print_text(f"disabled {changed.key_id}")


def enable(folder: Folder, key: KeyName, /, *, opened: Opened = NOTHING_SAID) -> None:
    """Enable a key again, from the next call on."""
    changed = Keeper(opened.of(folder)).set_enabled(key, is_enabled=True)
    print_text(f"enabled {changed.key_id}")


def destroy(
    folder: Folder,
    key: KeyName,
    /,
    *,
    opened: Opened = NOTHING_SAID,
    yes: Annotated[bool, Parameter(negative="", help="Yes, for ever: what the key has sealed opens nowhere again.")] = False,
) -> None:
    """Destroy a key; the help text is in `keybox_cli.py`."""
    if not yes:
        raise ConfigurationError(
            "destroying a key cannot be undone: everything that it has sealed is lost, in every backup too\ntry: add --yes"
        )
    certificate = Keeper(opened.of(folder)).destroy(key)
    print_text(f"destroyed; its certificate is {certificate}")


def certificate(folder: Folder, key: KeyName, /, *, opened: Opened = NOTHING_SAID) -> None:
    """Print the certificate of a destroyed key."""
    made = Keeper(opened.of(folder)).certificate(key)
    print_text(made.decode().rstrip())


def verify_file(
    file: Annotated[Path, Parameter(name="FILE", help="The certificate.")],
    /,
    *,
    public_key: Annotated[str, Parameter(help="The box's public key, as `init` and `list --json` print it.")],
) -> None:
    """Check a certificate of destruction; needs nothing of the box."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from None
    print_json(verify_certificate(data, public_key))


def rotate(
    folder: Folder,
    /,
    *,
    face: Annotated[Literal["xks", "kms"], Parameter(help="Whose credential: the store's (xks) or the clients' (kms).")] = "xks",
    opened: Opened = NOTHING_SAID,
    json: AsJson = False,
) -> None:
    """Make a second credential of a face, valid from the next call on beside the first."""
    made = Keeper(opened.of(folder)).rotate(Face[face.upper()])
    if json:
        told = json_words.dumps({"access_key_id": made.access_key_id, "secret_access_key": made.secret})
    else:
        told = _CREDENTIAL_TEXT.format(made=made)
    print_once(told, _LOST.format(f"the credential {made.access_key_id} is made", folder))


def retire(
    folder: Folder,
    access_key_id: Annotated[str, Parameter(name="ACCESS_KEY_ID", help="The credential that ends.")],
    /,
    *,
    opened: Opened = NOTHING_SAID,
) -> None:
    """End a credential, from the next call on; the last one of a face stays."""
    Keeper(opened.of(folder)).retire(access_key_id)
    print_text(f"retired {access_key_id}")


def list_credentials(folder: Folder, /, *, opened: Opened = NOTHING_SAID, json: AsJson = False) -> None:
    """List the credentials that are valid, without their secrets."""
    rows = [_describe(held) for held in Keeper(opened.of(folder)).content.credentials]
    if json:
        print_json({"credentials": rows})
    else:
        print_table(["access_key_id", "face", "created_at"], rows)


def policy(folder: Folder, /, *, opened: Opened = NOTHING_SAID) -> None:
    """Check DIR/policy.toml: that it can be read, and that the keys it names are in the box."""
    content = Keeper(opened.of(folder)).content
    unknown = [name for name in load_policy(folder / POLICY_NAME).names if not _is_known(name, content)]
    if unknown:
        raise ConfigurationError(f"the policy has rules for keys that are not in the box: {', '.join(unknown)}")
    print_text("the policy is in order")


def serve(
    folder: Folder,
    /,
    *,
    listen: Annotated[str, Parameter(help="HOST:PORT; port 0 lets the system choose.")] = "127.0.0.1:9443",
    tls_cert: Annotated[Path | None, Parameter(help="PEM file of the certificate chain; turns the port to HTTPS.")] = None,
    tls_key: Annotated[Path | None, Parameter(help="PEM file of the certificate's private key (PKCS#8).")] = None,
    client_ca: Annotated[
        Path | None, Parameter(help="PEM file of the authority whose certificates clients must have (mutual TLS).")
    ] = None,
    client_name: Annotated[
        tuple[str, ...],
        Parameter(
            negative="",
            help="Name that the certificate of a client must have: a DNS name or URI, or its common name where it has neither; "
            "may be said several times. Needs --client-ca.",
        ),
    ] = (),
    opened: Opened = NOTHING_SAID,
) -> None:
    """Run the key server; the help text is in `keybox_cli.py`."""
    # Here, since the other commands need no server.
    from siegel.app.keyserver import serve_box  # noqa: PLC0415 - the commands that only read must start at once
    from siegel.app.listening import Listening, read_listen  # noqa: PLC0415 - as above

    address = read_listen(listen)
    unlocked = opened.of(folder)
    box = unlocked.open()
    serve_box(
        box, Listening(address, tls_cert, tls_key, client_ca, client_name), unlocked.token() if unlocked.token_place else None
    )


def _is_known(name: str, content: Content) -> bool:
    return name in content.by_id or name in content.by_name or name in content.destroyed_by_id


def _describe(held: Credential) -> dict[str, object]:
    return {
        "access_key_id": held.access_key_id,
        "face": held.face.name.lower(),
        "created_at": encode_time(held.created_at_ms / 1000),
    }
