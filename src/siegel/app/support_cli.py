"""The commands of the provider's support, named here and imported when they are called."""

from typing import Final

from cyclopts import App

_SUPPORT: Final = """Ask a customer to be let in, and go in: the provider's side of consent.

All of it goes to the admin port, in the name of an operator's access key: that of the environment (AWS_ACCESS_KEY_ID ...) or of
the AWS tools' shared file. Whatever is done here about an account is an entry in its ledger.
"""

_REQUEST: Final = """Ask an account for access to named objects, and print the id of the request.

The customer reads exactly this, and signs it or not; silence is denial. Objects are s3://BUCKET/KEY, or s3://BUCKET/PREFIX* for
whatever begins like that. Times are +30m, +4h, or 2027-01-15T12:00:00Z.
"""

_CREDENTIALS: Final = """Get temporary credentials for S3, which are worth what the customer has signed, at each use.

With -o they are written as AWS tools read them, mode 0600, in the place of earlier ones; a file with anything else is left as it
is. Without -o they are printed as the setting `credential_process` of these tools wants them. Only the operator who asked gets
them.
"""

support = App(name="support", help=_SUPPORT)
for _name, _place, _help in (
    ("request", "request", _REQUEST),
    ("list", "list_requests", "List all requests and how they stand, the oldest of each account first."),
    ("show", "show", "Show a request as the customer reads it, and what he has signed."),
    ("credentials", "credentials", _CREDENTIALS),
    ("close", "close", "Report to the customer what was done, which ends the access."),
):
    support.command(f"siegel.app.commands.support:{_place}", name=_name, help=_help)
