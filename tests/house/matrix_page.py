"""The page of the access matrix: who gets in where, from the tables of all protocols."""

from siegel.access.consent import ACTIONS
from siegel.iamwire.action import About, Action
from siegel.iamwire.iam_actions import IAM
from siegel.iamwire.sts_actions import STS
from siegel.kmswire.operation import About as KmsAbout
from siegel.kmswire.operation import Operation
from siegel.kmswire.operations import OPERATIONS
from siegel.s3wire.route import ROUTES
from siegel.s3wire.routes.browsers import FORM_ROUTE, PREFLIGHT_ROUTES
from siegel.s3wire.routes.consents import CONSENT_ROUTES
from siegel.s3wire.routes.ledger import LEDGER_ROUTES, WARNINGS_ROUTE
from siegel.s3wire.routes.row import Route
from siegel.service.kms.key_rights import KEY_RIGHTS, KeyRights
from siegel.web.admin import ADMIN_ROUTES
from tests.gateway.key_ways import WAYS

HEAD = """# The access matrix

Every operation of every port, and who gets in. Generated from the routing tables; `tests/gateway/test_access_matrix.py` sends
each of them as each kind of caller to a running service, and sees that a refused one changed nothing.

- *yes*: always, unless a policy of the bucket denies it explicitly.
- *by policy*: where a policy of the caller's own account allows the permission, within its boundary and its session's policies.
- *by the bucket's policy*: where the bucket's policy grants it (and, to another account, that account's own policies too), and
  no public access block forbids it.
- *by the key's policy*: where the key's policy or a grant gives the right, or the key's policy lets the account's own policies
  give it, as that of a key does that was created without one. Not even the account's root has a right that it does not give.
- *within it*: where a consent of the account is active, [proven](../design/formats/consent.md#evidence), and its own; only the
  actions, objects and times that the customer has signed for, and not against an explicit denial of the account's policies.
- Credentials of GetSessionToken get in as their user or root does, but nowhere at IAM, and at STS into GetCallerIdentity and
  AssumeRole alone.
- *no*: never. Keys that are inactive, deleted or expired, and temporary keys without their token, are nobody's: they get in
  nowhere.

"""
OF_KEYS = """## Keys of S3's objects

Where a key of the key service seals an object (SSE-KMS), these operations take rights on it too, of the account's root as well.
All others take none, deleting and listing among them. `tests/gateway/test_key_rights.py` calls each with every right but one,
and with all of them.

| Operation | Of the key that the object, its source or the upload has | Of the key for what is made |
|---|---|---|
"""
OF_WAYS = """
A right on a key is had in these ways. Each is tried out there by a caller whom S3 lets do everything:

| What gives the right, or does not | PutObject (`kms:GenerateDataKey`) | GetObject (`kms:Decrypt`) |
|---|---|---|
"""
CALLERS = "Account's root | Its users and roles | Other accounts | Anonymous | Operator | The same by consent"
COLUMNS = f"| Operation | Permission | {CALLERS} |\n|---|---|---|---|---|---|---|---|"


def render_access_matrix() -> str:
    s3 = [_s3_row(route) for route in (*ROUTES, FORM_ROUTE)]
    own = (*LEDGER_ROUTES, *CONSENT_ROUTES)
    s3 += [f"| {route.operation} | `{route.action}` | yes | by policy | no | no | no | no |" for route in own]
    s3.append(f"| {WARNINGS_ROUTE.operation} | none | yes | yes | yes | yes | yes | yes |")
    # A preflight asks what a bucket's rules let pages do, and opens nothing.
    s3.append(f"| {PREFLIGHT_ROUTES[0].operation} | none | yes | yes | yes | yes | yes | yes |")
    query = [_query_row(action) for protocol in (IAM, STS) for action in protocol.actions.values()]
    admin = [f"| {row.operation} | an operator's key | no | no | no | no | yes | no |" for row in ADMIN_ROUTES]
    kms = [_kms_row(operation) for operation in OPERATIONS.values()]
    sections = [
        ("The S3 port: S3", s3),
        ("The S3 port: IAM and STS", query),
        ("The S3 port: KMS", kms),
        ("The admin port", admin),
    ]
    ports = "\n".join("\n".join([f"## {title}", "", COLUMNS, *rows, ""]) for title, rows in sections)
    of_keys = "\n".join(_rights_row(operation, rights) for operation, rights in KEY_RIGHTS.items())
    ways = "\n".join(f"| {way.text} | {_yes(way.can_put)} | {_yes(way.can_get)} |" for way in WAYS)
    return f"{HEAD}{ports}\n{OF_KEYS}{of_keys}\n{OF_WAYS}{ways}\n"


def _rights_row(operation: str, rights: KeyRights) -> str:
    columns = (", ".join(f"`{right}`" for right in some) or "none" for some in (rights.of_present, rights.of_new))
    return f"| {operation} | {' | '.join(columns)} |"


def _yes(value: object) -> str:
    return "yes" if value else "no"


def _query_row(action: Action) -> str:
    root = "no" if action.name == "AssumeRole" else "yes"
    own = "yes" if action.about is About.CALLER else "by policy"
    others = "by the role's trust policy" if action.name.startswith("AssumeRole") else "no"
    anonymous = "with a token" if action.unsigned else "no"
    return f"| {action.name} | `{action.permission}` | {root} | {own} | {others} | {anonymous} | no | no |"


def _kms_row(operation: Operation) -> str:
    if operation.about is KmsAbout.ACCOUNT:
        root, own, others = "yes", "by policy", "about their own account"
    else:
        root = own = "by the key's policy"
        others = "by the key's policy" if operation.across else "no"
    return f"| {operation.name} | `{operation.permission}` | {root} | {own} | {others} | no | no | no |"


def _s3_row(route: Route) -> str:
    permission = f"`{route.action}`"
    if route.version_action not in {"", route.action}:
        permission += f", of a version `{route.version_action}`"
    if route.level == "service" or route.operation == "CreateBucket":
        others, anonymous = "their own buckets", "no"
    else:
        others = anonymous = "by the bucket's policy"
        # Nobody could tell whose the upload is.
        anonymous = "no" if route.operation == "CreateMultipartUpload" else anonymous
    consent = "within it" if route.operation in ACTIONS else "no"
    return f"| {route.operation} | {permission} | yes | by policy | {others} | {anonymous} | no | {consent} |"
