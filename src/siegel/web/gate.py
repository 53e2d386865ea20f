"""The gate: what a request asks for, put to the policies. Whoever holds a permit came through here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from siegel.access.bucket_policy import s3_arn
from siegel.access.caller import Caller
from siegel.access.decide import Permit, decide, permit_root
from siegel.access.evaluation import Asked, ResourceSide
from siegel.access.remembered import Decisions
from siegel.domain.errors import AccessDeniedError
from siegel.domain.objects import Bucket
from siegel.domain.ports import Clock
from siegel.s3wire.conditionkeys import RequestKeys, Tags, Values
from siegel.s3wire.demands import action_of, further_actions
from siegel.s3wire.routes.row import Route
from siegel.s3wire.sigv4 import VerifiedRequest
from siegel.service.directory import Directory
from siegel.service.get import Getter

NO_VALUES: Final[Mapping[str, Values]] = MappingProxyType({})
_NO_TAGS: Final[Tags] = MappingProxyType({})
_NOTHING: Final = b"", _NO_TAGS
# It makes an object of its own: what it takes the place of has no say in it, nor has it in S3, by the tags that it had.
_MAKING: Final = "s3:PutObject"
# What these are about, or give and take, their handlers find out, mostly in the body: they ask for the permits.
_DECIDED_BY_HANDLER: Final = frozenset(
    {
        "DeleteObjects",
        "PutObjectLegalHold",
        "PutObjectRetention",
        "PutObjectTagging",
        "PutBucketTagging",
        "TagResource",
        "UntagResource",
    }
)


class Gate:
    """Asks the policies of the caller and of the bucket."""

    def __init__(self, directory: Directory, getter: Getter, clock: Clock, region: str) -> None:
        self._directory = directory
        self._getter = getter
        self._clock = clock
        self._region = region
        self._decisions = Decisions()

    def admit(self, verified: VerifiedRequest, caller: Caller, route: Route, bucket: Bucket | None) -> tuple[Permit, ...]:
        """Return the permits for all that a request's operation needs. Raises AccessDeniedError.

        `bucket` is None where the request names none, or one that is still to be made. What is decided by its body, such as the
        keys of DeleteObjects, all tags and locks, needs none to begin with.
        """
        if route.operation in _DECIDED_BY_HANDLER and bucket is not None:
            self._refuse_hopeless(caller, bucket)
            return ()
        request = verified.request
        if request.own_level:
            return (self._admit_to_own(verified, caller, route),)
        version_id = request.query.get("versionId")
        has_version = version_id is not None
        actions = further_actions(route, request.headers, has_version=has_version)
        if route.operation != "CreateBucket":
            # A bucket is made with the tags of its body.
            actions = (action_of(route, has_version=has_version), *actions)
        unlimited = () if bucket is None else permit_root(caller, actions, self._directory.resource_side(bucket))
        if unlimited:
            return unlimited
        object_key = request.object_key if route.resource == "object" else ""
        return tuple(
            [
                self.permit(
                    verified, caller, action, bucket, operation=route.operation, object_key=object_key, version_id=version_id
                )
                for action in actions
            ]
        )

    def _refuse_hopeless(self, caller: Caller, bucket: Bucket) -> None:
        """Refuse at once whoever has no right to anything in the bucket, before the body is looked at."""
        side = self._directory.resource_side(bucket)
        if side.policy is None and caller.account_id != side.account_id:
            raise AccessDeniedError

    def _admit_to_own(self, verified: VerifiedRequest, caller: Caller, route: Route) -> Permit:
        """Return the permit for an account's log or consents, which no policy but those of the account itself can give."""
        account_id = verified.request.ledger_account
        keys = RequestKeys(
            verified.request,
            verified.claim,
            now_ms=self._clock.now_ms(),
            region=self._region,
            owner=account_id,
            existing_tags=lambda: _NO_TAGS,
            others=NO_VALUES,
            operation=route.operation,
            action=route.action,
        )
        return decide(
            caller, Asked(route.action, f"arn:aws:siegel:::{route.resource}/{account_id}", keys), ResourceSide(account_id)
        )

    def permit(
        self,
        verified: VerifiedRequest,
        caller: Caller,
        action: str,
        bucket: Bucket | None,
        *,
        operation: str,
        object_key: str = "",
        version_id: str | None = None,
        others: Mapping[str, Values] = NO_VALUES,
    ) -> Permit:
        """Return the permit for one action on a bucket, or on an object in it. Raises AccessDeniedError.

        `operation` is what the request asks of S3, for which it may need several actions. `version_id` is the version that the
        action is about, wherever in the request it is named. `others` are values of condition keys that stand in no header, by
        their names in lower case.
        """
        request = verified.request
        if bucket is None:
            side, name = ResourceSide(caller.account_id), request.bucket
        else:
            side, name = self._directory.resource_side(bucket), bucket.name
        unlimited = permit_root(caller, (action,), side)
        if unlimited:
            return unlimited[0]
        if version_id is not None:
            others = {**others, "s3:versionid": (version_id,)}
        resource = s3_arn(name or "*", object_key)
        known = self._decisions.find(caller, action, resource, side)
        if known is not None:
            return known

        tags_of: bytes | None = None

        def existing_tags() -> Tags:
            nonlocal tags_of
            if action == _MAKING:
                return _NO_TAGS
            tags_of, tags = self._getter.tags(bucket, object_key, version_id) if bucket is not None and object_key else _NOTHING
            return tags

        keys = RequestKeys(
            request,
            verified.claim,
            now_ms=self._clock.now_ms(),
            region=self._region,
            owner=side.account_id,
            existing_tags=existing_tags,
            others=others,
            operation=operation,
            action=action,
        )
        # The side of no bucket is made for this request alone: what is remembered of it could never be found again.
        settle = decide if bucket is None else self._decisions.decide
        permitted = settle(caller, Asked(action, resource, keys), side)
        return permitted if tags_of is None else replace(permitted, tags_of=tags_of)

    def allows(
        self,
        verified: VerifiedRequest,
        caller: Caller,
        action: str,
        bucket: Bucket,
        *,
        operation: str,
        object_key: str = "",
        version_id: str | None = None,
        others: Mapping[str, Values] = NO_VALUES,
    ) -> bool:
        """Whether the caller may do that as well."""
        try:
            self.permit(
                verified,
                caller,
                action,
                bucket,
                operation=operation,
                object_key=object_key,
                version_id=version_id,
                others=others,
            )
        except AccessDeniedError:
            return False
        return True
