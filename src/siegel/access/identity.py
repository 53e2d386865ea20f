"""Who stands behind a request, as policies see it."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct


class CallerKind(StrEnum):
    """The kinds of principals."""

    ANONYMOUS = "anonymous"
    ROOT = "root"
    USER = "user"
    ROLE = "role"
    SUPPORT = "support"
    OPERATOR = "operator"


class Identity(Struct, frozen=True, kw_only=True):
    """A principal, proven by a signature; or anonymous, then without account.

    `arn` is as AWS writes it: `arn:aws:iam::ACCOUNT:root`, `arn:aws:iam::ACCOUNT:user/PATH/NAME`, for the session of a role
    `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`, `anonymous` without a signature. `principal_id` is the unique id, which is
    never used again; for a session `ROLE ID:SESSION`. `name` is a user's, `role_arn` a session's role's. `tags` include session
    tags. `issued_at_ms` is the time temporary credentials were made. `federated_provider` is set for a web identity that asks
    for a role and is no principal yet. `keys` are further condition keys of the principal, names in lower case. `consent_id` is
    the consent that an operator acts under, `arn:aws:siegel:::support/CONSENT/PERSON`, in the account that gave it.
    """

    kind: CallerKind
    account_id: str
    access_key_id: str = ""
    arn: str
    principal_id: str = ""
    name: str = ""
    role_arn: str = ""
    tags: Mapping[str, str] = {}
    is_temporary: bool = False
    issued_at_ms: int | None = None
    federated_provider: str | None = None
    keys: Mapping[str, tuple[str, ...]] = {}
    consent_id: str = ""

    @property
    def has_session_token(self) -> bool:
        """Whether a user or an account's root calls with credentials of GetSessionToken."""
        return self.is_temporary and self.kind in {CallerKind.USER, CallerKind.ROOT}

    @property
    def role_id(self) -> str:
        """The unique id of a session's role."""
        return self.principal_id.partition(":")[0]
