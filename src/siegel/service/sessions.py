"""STS: who calls, and temporary credentials for roles, users and the account's root.

A role's session gets the role's rights, limited by the session's own policies; whoever takes on a role gives up his own rights.
An account's root takes on none. Credentials of GetSessionToken call AssumeRole and GetCallerIdentity here, and nothing else.
Sources: AWS STS API Reference; IAM User Guide, "Temporary security credentials" and "Passing session tags in AWS STS".
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from siegel.access.caller import ANONYMOUS, Caller, CallerKind
from siegel.access.decide import decide
from siegel.access.evaluation import Asked, ResourceSide
from siegel.access.policy import PolicyKind
from siegel.domain.errors import AccessDeniedError
from siegel.domain.identities import Role, entity_arn
from siegel.domain.limits import CHAINED_SESSION_S_MAX, SESSION_S_DEFAULT, SESSION_TAGS_MAX, SESSION_TOKEN_CHARS_MAX
from siegel.domain.objects import CredentialKind
from siegel.domain.ports import Clock, Journal, MetaStore
from siegel.domain.query_errors import NoSuchEntityError, ValidationError
from siegel.domain.sessions import Session, SessionOf
from siegel.iamwire.action import Spoken
from siegel.iamwire.sts_asks import (
    AssumeRole,
    AssumeRoleWithWebIdentity,
    GetAccessKeyInfo,
    GetCallerIdentity,
    GetSessionToken,
    SessionLimits,
)
from siegel.iamwire.xml import Node, moment
from siegel.s3wire.conditionkeys import RequestKeys, Values
from siegel.s3wire.request import Request
from siegel.service.identities.entities import Entities
from siegel.service.identities.rights import resource_tag_keys
from siegel.service.identities.scene import check_policy
from siegel.service.principals import default_text, trust_of
from siegel.service.session_callers import SOURCE_IDENTITY, TRANSITIVE, parse_role_arn
from siegel.service.session_tokens import Issued, SessionTokens
from siegel.service.trail import Trail
from siegel.service.webidentities import WebIdentities, WebIdentity

Result = Mapping[str, Node]

ROOT_SESSION_S_MAX: Final = 3600
_SESSION_POLICY: Final = "session policy"
_TAG_KEYS: Final = "aws:tagkeys"
_SOURCE_IDENTITY: Final = "sts:sourceidentity"


class Found(Struct, frozen=True):
    """A role that is asked for, in its account."""

    account_id: str
    role: Role
    arn: str


class Sessions:
    """The use cases behind the door of STS."""

    def __init__(
        self,
        store: MetaStore,
        journal: Journal,
        tokens: SessionTokens,
        web_identities: WebIdentities,
        *,
        clock: Clock,
        region: str,
    ) -> None:
        self._store = store
        self._journal = journal
        self._tokens = tokens
        self._web_identities = web_identities
        self._clock = clock
        self._region = region
        self._work: Final[dict[type, Callable[..., Result]]] = {
            GetCallerIdentity: self._caller_identity,
            GetAccessKeyInfo: self._access_key_info,
            GetSessionToken: self._session_token,
            AssumeRole: self._assume_role,
        }

    async def answer(self, spoken: Spoken, request: Request, trail: Trail) -> Result:
        """Decide on a call and do it. Raises AccessDeniedError, and errors of the query protocol."""
        if isinstance(spoken.ask, AssumeRoleWithWebIdentity):
            result = await self._assume_by_token(spoken.ask, request, trail)
        else:
            result = self._work[type(spoken.ask)](spoken.ask, request, trail)
        await self._journal.append(trail.entries_of_keys(200))
        return result

    @staticmethod
    def _caller_identity(_ask: GetCallerIdentity, _request: Request, trail: Trail) -> Result:
        caller = trail.caller
        return {"UserId": caller.principal_id, "Account": caller.account_id, "Arn": caller.arn}

    def _access_key_info(self, ask: GetAccessKeyInfo, request: Request, trail: Trail) -> Result:
        if trail.caller.has_session_token:
            raise AccessDeniedError("Cannot call GetAccessKeyInfo with session credentials")
        self._decide(trail, "sts:GetAccessKeyInfo", "*", ResourceSide(trail.caller.account_id), request, others={})
        found = self._store.reader.identities.find_credential(ask.access_key_id)
        if found is None or found.kind is CredentialKind.OPERATOR:
            raise ValidationError("The access key does not belong to an account of this deployment.")
        return {"Account": found.account_id}

    def _session_token(self, ask: GetSessionToken, _request: Request, trail: Trail) -> Result:
        caller = trail.caller
        if caller.is_temporary:
            raise AccessDeniedError("Cannot call GetSessionToken with session credentials")
        _refuse_mfa(ask.serial_number, ask.token_code)
        is_root = caller.kind is CallerKind.ROOT
        longest = ROOT_SESSION_S_MAX if is_root else SESSION_S_DEFAULT
        asked = ask.duration_seconds or longest
        duration_s = min(asked, ROOT_SESSION_S_MAX) if is_root else asked
        issued = self._issue(
            duration_s,
            account_id=caller.account_id,
            session_of=SessionOf.ROOT if is_root else SessionOf.USER,
            name=caller.name,
            unique_id=caller.principal_id,
        )
        return {"Credentials": _credentials(issued)}

    def _assume_role(self, ask: AssumeRole, request: Request, trail: Trail) -> Result:
        caller = trail.caller
        trail.object_key = _name_of(ask)
        # The role's account is to know who asks for it, and the caller's what its people ask for abroad.
        asked = dict.fromkeys((caller.account_id, parse_role_arn(ask.role_arn).account_id))
        trail.keys += [(account_id, trail.object_key) for account_id in asked if self._has_account(account_id)]
        if caller.kind is CallerKind.ROOT:
            raise AccessDeniedError("Roles may not be assumed by root accounts.")
        _refuse_mfa(ask.serial_number, ask.token_code)
        # What the session inherits is decided on as if it were asked for.
        tags, source_identity = _session_tags(caller, ask), _source_identity(caller, ask)
        found = self.find_role(ask.role_arn)
        others = _role_keys(found.role, ask, tags, ask.transitive_tag_keys, source_identity, external_id=ask.external_id)
        self._decide_on_role(trail, "sts:AssumeRole", found, request, others=others)
        return self.role_session(
            found,
            ask,
            is_chained=caller.kind is CallerKind.ROLE,
            tags=tags,
            transitive_keys=(*caller.keys.get(TRANSITIVE, ()), *ask.transitive_tag_keys),
            source_identity=source_identity,
        )

    async def _assume_by_token(self, ask: AssumeRoleWithWebIdentity, request: Request, trail: Trail) -> Result:
        if ask.provider_id:
            raise ValidationError("ProviderId is for OAuth 2.0 access tokens, which are not taken here: leave it out.")
        account_id = parse_role_arn(ask.role_arn).account_id
        if self._has_account(account_id):
            trail.account_id, trail.object_key = account_id, _name_of(ask)
        identity = await self._web_identities.prove(account_id, ask.web_identity_token)
        trail.caller = replace(ANONYMOUS, arn=identity.name, federated_provider=identity.provider_arn, keys=identity.keys)
        try:
            found = self._trusting_role(ask, identity, request, trail)
        except AccessDeniedError:
            raise AccessDeniedError("Not authorized to perform sts:AssumeRoleWithWebIdentity") from None
        result = self.role_session(
            found,
            ask,
            is_chained=False,
            tags=identity.tags,
            transitive_keys=identity.transitive_keys,
            source_identity=identity.source_identity,
            keys=tuple(identity.keys.items()),
        )
        return {
            **result,
            "SubjectFromWebIdentityToken": identity.subject,
            "Audience": identity.audience,
            "Provider": identity.issuer,
        }

    def _trusting_role(self, ask: AssumeRoleWithWebIdentity, identity: WebIdentity, request: Request, trail: Trail) -> Found:
        """Return the role that is asked for, if its trust policy lets a web identity take it on. Raises AccessDeniedError."""
        found = self.find_role(ask.role_arn)
        others = _role_keys(found.role, ask, identity.tags, identity.transitive_keys, identity.source_identity)
        self._decide_on_role(trail, "sts:AssumeRoleWithWebIdentity", found, request, others=others)
        return found

    def _decide_on_role(self, trail: Trail, action: str, found: Found, request: Request, *, others: Mapping[str, Values]) -> None:
        """Raise AccessDeniedError unless a role may be taken on, with the tags and the source identity that `others` tell of."""
        side = ResourceSide(found.account_id, trust_of(found.role), kind=PolicyKind.TRUST)
        self._decide(trail, action, found.arn, side, request, others=others)
        if _TAG_KEYS in others:
            self._decide(trail, "sts:TagSession", found.arn, side, request, others=others)
        if _SOURCE_IDENTITY in others:
            self._decide(trail, "sts:SetSourceIdentity", found.arn, side, request, others=others)

    def _has_account(self, account_id: str) -> bool:
        return self._store.reader.identities.find_account(account_id) is not None

    def find_role(self, arn: str) -> Found:
        """Return the role of an ARN. Raises AccessDeniedError if there is none: nobody learns which roles there are."""
        name = parse_role_arn(arn)
        try:
            role = Entities(self._store.reader, name.account_id).get(Role, name.name)
        except NoSuchEntityError:
            raise AccessDeniedError from None
        found = entity_arn(name.account_id, Role.resource, role.path, role.name)
        if found != arn:
            raise AccessDeniedError
        return Found(name.account_id, role, found)

    def role_session(
        self,
        found: Found,
        ask: SessionLimits,
        *,
        is_chained: bool,
        tags: Sequence[tuple[str, str]] = (),
        transitive_keys: Sequence[str] = (),
        source_identity: str = "",
        keys: Sequence[tuple[str, Values]] = (),
    ) -> Result:
        """Return the answer with credentials for a role that the caller may take on; `is_chained`: from another role's session.

        Raises ValidationError for a duration beyond the role's or the chain's, MalformedPolicyDocumentError,
        NoSuchEntityError for a managed policy, PackedPolicyTooLargeError.
        """
        longest = min(found.role.session_s_max, CHAINED_SESSION_S_MAX) if is_chained else found.role.session_s_max
        duration_s = ask.duration_seconds or min(ROOT_SESSION_S_MAX, longest)
        if duration_s > longest:
            raise ValidationError(
                f"The requested DurationSeconds exceeds the {longest} seconds that are permitted for this role."
            )
        issued = self._issue(
            duration_s,
            account_id=found.account_id,
            session_of=SessionOf.ROLE,
            name=found.role.name,
            unique_id=found.role.unique_id,
            session_name=ask.role_session_name,
            policies=tuple(self._session_policies(found.account_id, ask)),
            tags=tuple(tags),
            transitive_keys=tuple(dict.fromkeys(transitive_keys)),
            source_identity=source_identity,
            keys=tuple(keys),
        )
        name = f"{found.role.name}/{ask.role_session_name}"
        result: dict[str, Node] = {
            "Credentials": _credentials(issued),
            "AssumedRoleUser": {
                "AssumedRoleId": f"{found.role.unique_id}:{ask.role_session_name}",
                "Arn": f"arn:aws:sts::{found.account_id}:assumed-role/{name}",
            },
        }
        if issued.session.policies or issued.session.tags:
            result["PackedPolicySize"] = max(1, 100 * len(issued.session_token) // SESSION_TOKEN_CHARS_MAX)
        if source_identity:
            result["SourceIdentity"] = source_identity
        return result

    def _session_policies(self, account_id: str, ask: SessionLimits) -> list[tuple[str, str]]:
        policies: list[tuple[str, str]] = []
        entities = Entities(self._store.reader, account_id)
        for named in ask.policy_arns:
            text = default_text(entities.policy(named.arn))
            check_policy(text)
            policies.append((named.arn, text))
        if ask.policy:
            check_policy(ask.policy, PolicyKind.SESSION)
            policies.append((_SESSION_POLICY, ask.policy))
        return policies

    def _issue(self, duration_s: int, **fields: object) -> Issued:
        now_ms = self._clock.now_ms()
        return self._tokens.issue(Session(issued_at_ms=now_ms, expires_at_ms=now_ms + duration_s * 1000, **fields))  # type: ignore[arg-type]  # the fields of Session by their names

    def _decide(
        self,
        trail: Trail,
        action: str,
        resource: str,
        side: ResourceSide,
        request: Request,
        *,
        others: Mapping[str, Values],
    ) -> None:
        # Tags are parameters here: no header speaks of them.
        headers = {name: value for name, value in request.headers.items() if not name.startswith("x-amz-")}
        keys = RequestKeys(
            replace(request, headers=headers),
            None,
            now_ms=trail.at_ms,
            region=self._region,
            owner=side.account_id,
            existing_tags=dict,
            others=others,
        )
        trail.note(decide(trail.caller, Asked(action, resource, keys), side))


def _name_of(ask: SessionLimits) -> str:
    """Return what entries call a session of a role that is asked for: no part of it can hold a blank."""
    return f"{ask.role_arn} {ask.role_session_name}"


def _refuse_mfa(serial_number: str, token_code: str) -> None:
    if serial_number or token_code:
        raise AccessDeniedError("There are no MFA devices here: leave out SerialNumber and TokenCode.")


def _session_tags(caller: Caller, ask: AssumeRole) -> tuple[tuple[str, str], ...]:
    """Return the tags of the new session: those that it is given, and those that the caller's own session hands on."""
    given = {tag.key: tag.value for tag in ask.tags}
    if len({key.lower() for key in given}) != len(ask.tags):
        raise ValidationError("Each key of a session tag may be given once.")
    handed_on = {key: caller.tags[key] for key in caller.keys.get(TRANSITIVE, ()) if key in caller.tags}
    if {key.lower() for key in handed_on} & {key.lower() for key in given}:
        raise AccessDeniedError("A transitive session tag cannot be given another value.")
    unknown = [key for key in ask.transitive_tag_keys if key not in given]
    if unknown:
        raise ValidationError(f"The transitive tag key {unknown[0]} is not among the session's tags.")
    tags = {**handed_on, **given}
    if len(tags) > SESSION_TAGS_MAX:
        raise ValidationError(f"A session has at most {SESSION_TAGS_MAX} tags.")
    return tuple(tags.items())


def _source_identity(caller: Caller, ask: AssumeRole) -> str:
    """Return the source identity of the new session: the one that the caller's own session has, or the one that it is given."""
    inherited = caller.keys.get(SOURCE_IDENTITY, ("",))[0]
    if inherited and ask.source_identity not in {"", inherited}:
        raise AccessDeniedError("The source identity of a session cannot be changed by taking on another role.")
    return inherited or ask.source_identity


def _role_keys(
    role: Role,
    ask: SessionLimits,
    tags: Sequence[tuple[str, str]],
    transitive_keys: tuple[str, ...],
    source_identity: str,
    *,
    external_id: str = "",
) -> dict[str, Values]:
    """Return the condition keys of a call that takes on a role; tags and source identity are those that the session will have."""
    keys: dict[str, Values] = {**resource_tag_keys(role.tags), "sts:rolesessionname": (ask.role_session_name,)}
    if external_id:
        keys["sts:externalid"] = (external_id,)
    if source_identity:
        keys[_SOURCE_IDENTITY] = (source_identity,)
    if transitive_keys:
        keys["sts:transitivetagkeys"] = transitive_keys
    if tags:
        keys[_TAG_KEYS] = tuple(key for key, _ in tags)
        keys.update({f"aws:requesttag/{key.lower()}": (value,) for key, value in tags})
    return keys


def _credentials(issued: Issued) -> dict[str, Node]:
    return {
        "AccessKeyId": issued.access_key_id,
        "SecretAccessKey": issued.secret_access_key,
        "SessionToken": issued.session_token,
        "Expiration": moment(issued.session.expires_at_ms),
    }
