"""What a session token says, once it is open. Format page: `docs/design/formats/session-token.md`."""

from enum import StrEnum

from siegel.domain.records import Document


class SessionOf(StrEnum):
    """Whom temporary credentials stand for. The values are sealed into tokens: never change them."""

    ROOT = "root"
    USER = "user"
    ROLE = "role"
    SUPPORT = "support"


class Session(Document, frozen=True, array_like=True):
    """Temporary credentials, all of them: the store keeps nothing of a session.

    `name` and `unique_id` are the user's or the role's, the name as it was then; `session_name` is given by whoever took on the
    role. Of an operator who acts under a consent, `name` is the consent's id and `session_name` the person. `policies` pairs the
    names and texts of the session's own policies, which limit it. `tags` are the session's, `transitive_keys` those of them that
    go on to the roles taken on from here. `keys` are condition keys of a web identity, by their names in lower case.
    """

    account_id: str = ""
    session_of: SessionOf = SessionOf.ROOT
    name: str = ""
    unique_id: str = ""
    session_name: str = ""
    secret: str = ""
    issued_at_ms: int = 0
    expires_at_ms: int = 0
    policies: tuple[tuple[str, str], ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    transitive_keys: tuple[str, ...] = ()
    source_identity: str = ""
    keys: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __repr__(self) -> str:
        """Show whose session it is, and nothing of its secret."""
        return f"Session({self.session_of}, {self.account_id}, {self.name!r}, {self.session_name!r})"
