"""`siegel support`: the provider's people ask to be let in. A client of the admin port, and nothing else."""

import json as json_words
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from siegel.app.commands.audit import Region
from siegel.app.commands.moments import read_moment
from siegel.app.commands.options import AsJson
from siegel.app.credentials import session_credentials
from siegel.app.output import print_json, print_table, print_text
from siegel.customer.audit.sources import HttpSource, find_credential
from siegel.domain.consents import AccessWanted
from siegel.domain.errors import ConfigurationError, SiegelError
from siegel.domain.moments import encode_time
from siegel.service.access_keys import AccessKey

SERVICE: Final = "siegel"
_PLACE: Final = "-/support/requests"
_OK: Final = range(200, 300)
_COLUMNS: Final = ("consent_id", "account_id", "state", "person", "ticket", "answer_by", "expires", "uses")

Admin = Annotated[str, Parameter(env_var="SIEGEL_ADMIN_URL", help="The admin port.")]
ConsentId = Annotated[str, Parameter(name="CONSENT", help="Id of the request, as `request` printed it.")]
Moment = Annotated[str, Parameter(help="As --until.")]
NEAR: Final = "http://127.0.0.1:9002"


class RefusedError(SiegelError):
    """The admin port says no. The message is its own."""


def request(
    *,
    account: Annotated[str, Parameter(help="Id of the account.")],
    objects: Annotated[list[str], Parameter(negative="", help="What is to be seen; may be repeated.")],
    cause: Annotated[str, Parameter(help="customer-support, provider-service, review, legal-request or system.")],
    ticket: Annotated[str, Parameter(help="Number of the case.")],
    reason: Annotated[str, Parameter(help="Why, in a line that the customer reads.")],
    person: Annotated[str, Parameter(help="Who will look: letters, digits and _+=,.@-")],
    employer: Annotated[str, Parameter(help="Whom this person works for.")],
    country: Annotated[str, Parameter(help="Where this person is, as in DE.")],
    office_country: Annotated[str, Parameter(help="Where this person belongs, if elsewhere.")] = "",
    actions: Annotated[str, Parameter(help="Some of list,head,read.")] = "list,head,read",
    until: Annotated[str, Parameter(help="When it ends: 24 hours from the beginning at most.")] = "+8h",
    not_before: Moment = "",
    answer_by: Moment = "+4h",
    max_reads: Annotated[int, Parameter(validator=Number(gte=0), help="How often objects may be read; 0: no bound.")] = 0,
    copies: Annotated[str, Parameter(help="What is kept of the data.")] = "none",
    copies_until: Annotated[str, Parameter(help="Until when it is kept, as --until.")] = "",
    admin: Admin = NEAR,
    region: Region = "us-east-1",
    json: AsJson = False,
) -> None:
    """Ask for access; the help text is in `support_cli.py`."""
    wanted = AccessWanted(
        account=account,
        objects=objects,
        actions=actions.split(","),
        cause=cause,
        ticket=ticket,
        reason=reason,
        person=person,
        employer=employer,
        country=country,
        office_country=office_country,
        not_before=_moment(not_before),
        until=_moment(until),
        answer_by=_moment(answer_by),
        max_reads=max_reads,
        copies=copies,
        copies_until=_moment(copies_until),
    )
    with _asking(admin, region) as port:
        shown = port.call("POST", "", msgspec.json.encode(wanted))
    if json:
        print_json(shown)
    else:
        print_text(
            f"request {shown['consent_id']} waits for the customer's answer until {shown['answer_by']}; silence is denial\n"
            f"next: siegel support show {shown['consent_id']}"
        )


def list_requests(*, admin: Admin = NEAR, region: Region = "us-east-1", json: AsJson = False) -> None:
    """List all requests and how they stand."""
    found: list[dict[str, Any]] = []
    with _asking(admin, region) as port:
        after = ""
        while True:
            page = port.call("GET", "", query={"after": after} if after else {})
            found += page["requests"]
            after = page["next"]
            if not after:
                break
    if json:
        print_json({"requests": found})
    else:
        print_table(_COLUMNS, found)


def show(consent_id: ConsentId, /, *, admin: Admin = NEAR, region: Region = "us-east-1", json: AsJson = False) -> None:
    """Show a request as the customer reads it, and what he has signed."""
    with _asking(admin, region) as port:
        shown = port.call("GET", f"/{consent_id}")
    if json:
        print_json(shown)
        return
    signed = f"\n\n{shown['approval']}" if shown["approval"] else ""
    print_text(f"{consent_id} is {shown['state']}\n\n{shown['request']}{signed}".rstrip("\n"))


def credentials(
    consent_id: ConsentId,
    /,
    *,
    output: Annotated[
        Path | None, Parameter(name=["--output", "-o"], help="File for the credentials: a new one, or one with earlier ones.")
    ] = None,
    admin: Admin = NEAR,
    region: Region = "us-east-1",
) -> None:
    """Get the credentials of a consent; the help text is in `support_cli.py`."""
    if output is None:
        print_json(_get_credentials(admin, region, consent_id))
        return
    with session_credentials(output) as write:
        given = _get_credentials(admin, region, consent_id)
        write(AccessKey(given["AccessKeyId"], given["SecretAccessKey"]), given["SessionToken"])
    print_text(
        f"{output} has credentials until {given['Expiration']}; they are worth what the consent is worth\n"
        f"next: export AWS_SHARED_CREDENTIALS_FILE={output}"
    )


def _get_credentials(admin: str, region: str, consent_id: str) -> dict[str, Any]:
    with _asking(admin, region) as port:
        return port.call("POST", f"/{consent_id}/credentials")


def close(
    consent_id: ConsentId,
    /,
    *,
    summary: Annotated[str, Parameter(help="What was done, in a line that the customer reads.")],
    admin: Admin = NEAR,
    region: Region = "us-east-1",
    json: AsJson = False,
) -> None:
    """Report to the customer, which ends the access."""
    with _asking(admin, region) as port:
        shown = port.call("POST", f"/{consent_id}/close", json_words.dumps({"summary": summary}).encode())
    if json:
        print_json(shown)
    else:
        print_text(f"{consent_id} is {shown['state']}; uses: {shown['uses']}")


class _Port:
    """The admin port, asked in an operator's name."""

    def __init__(self, source: HttpSource) -> None:
        self._source = source

    def call(self, method: str, path: str, body: bytes = b"", query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return an answer. Raises RefusedError with the port's words."""
        status, answer = self._source.exchange(method, _PLACE + path, body, query or {})
        try:
            told: dict[str, Any] = msgspec.json.decode(answer, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise RefusedError(f"this is no admin port: it answers {status}, and not as one") from None
        if status not in _OK:
            raise RefusedError(f"{told.get('code', status)}: {told.get('message', 'without a word')}")
        return told


@contextmanager
def _asking(admin: str, region: str) -> Iterator[_Port]:
    credential = find_credential()
    if credential is None:
        raise ConfigurationError(
            "no operator's access key is named\ntry: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        )
    source = HttpSource(admin, credential, region=region, service=SERVICE)
    try:
        yield _Port(source)
    finally:
        source.close()


def _moment(text: str) -> str:
    return encode_time(read_moment(text)) if text else ""
