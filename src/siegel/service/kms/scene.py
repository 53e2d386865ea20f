"""What an operation of KMS works with: who calls, how keys are found, and whether the caller may."""

from base64 import b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from msgspec import Struct

from siegel.access.decide import decide
from siegel.access.evaluation import Asked, ResourceSide
from siegel.access.policy import Policy
from siegel.domain.errors import AccessDeniedError
from siegel.domain.key_stores import KeyServerError, Proxy
from siegel.domain.kms_errors import (
    KmsCustomKeyStoreInvalidStateError,
    KmsDisabledError,
    KmsDryRunError,
    KmsInvalidMarkerError,
    KmsInvalidStateError,
    KmsNotFoundError,
)
from siegel.domain.ports import Reader, Writer
from siegel.domain.wrapping_keys import KeyState, alias_arn, key_arn
from siegel.kmswire.asks import Paged
from siegel.kmswire.names import NamedKey, parse_key_name
from siegel.kmswire.operation import Needs, Spoken
from siegel.s3wire.conditionkeys import RequestKeys
from siegel.s3wire.request import Request
from siegel.service.kms.conditions import keys_of_call
from siegel.service.kms.key_conditions import KmsKeys
from siegel.service.kms.keybook import KeyBook, KeyBookWriter
from siegel.service.kms.material import Materials
from siegel.service.kms.views import FreshViews, GrantView, KeyView, Views, decide_on_key
from siegel.service.trail import Trail

V = TypeVar("V")

NO_CONTEXT: Final[Mapping[str, str]] = {}
PREFIX: Final = "kms:"


class Setting(Struct, frozen=True):
    """What a call comes with: its request, what it asks for, its trail; and the region of this deployment."""

    request: Request
    spoken: Spoken
    trail: Trail
    region: str
    now_ms: int


class Finding(Struct, frozen=True):
    """What an external key store's proxy said: nothing (`error`), or why a key cannot be used (`problem`, "" if it can)."""

    proxy: Proxy
    error: KeyServerError | None = None
    problem: str = ""


class Unwrapped(Struct, frozen=True):
    """Material that was brought along for a key, unwrapped. The text form does not show it."""

    account_id: str
    key_id: str
    clear: bytes

    def __repr__(self) -> str:
        return f"Unwrapped({self.key_id})"


class Scene:
    """A read, or a use of a key."""

    def __init__(self, reader: Reader, views: Views, setting: Setting) -> None:
        """Read the caller's account, and find keys of all accounts in `views`."""
        self.views = views
        self.setting = setting
        self.caller = setting.trail.caller
        self.account_id = self.caller.account_id
        self.region = setting.region
        self.now_ms = setting.now_ms
        self.reader = reader
        self.book = KeyBook(reader, self.account_id)

    def arn(self, view: KeyView) -> str:
        """Return a key's ARN."""
        return key_arn(self.region, view.account_id, view.key.key_id)

    def key(self, name: str, permission: str = "", context: Mapping[str, str] = NO_CONTEXT) -> KeyView:
        """Return the key that a KeyId means, if the caller may do with it what it asks for and its state permits it.

        Raises KmsNotFoundError, KmsInvalidArnError, AccessDeniedError, KmsDisabledError, KmsInvalidStateError.
        """
        view = self.find(name)
        self.admit(view, permission, context)
        self.check_state(view)
        return view

    def find(self, name: str) -> KeyView:
        """Return the key that a KeyId means. Raises KmsNotFoundError, KmsInvalidArnError, AccessDeniedError."""
        operation = self.setting.spoken.operation
        return self.look_up(parse_key_name(name, self.region, self.account_id, takes_alias=operation.takes_alias))

    def look_up(self, named: NamedKey) -> KeyView:
        """Return a named key. Whoever asks for another account's learns from the answer nothing about what there is.

        Raises KmsNotFoundError, AccessDeniedError.
        """
        is_own = named.account_id == self.account_id
        key_id = self.views.key_id_of(named.account_id, named.alias) if named.alias else named.key_id
        view = None if key_id is None else self.views.find(named.account_id, key_id)
        if view is None:
            if not is_own:
                raise AccessDeniedError
            raise _absent(self.region, named)
        trail = self.setting.trail
        trail.account_id, trail.object_key = place = view.account_id, self.arn(view)
        if place not in trail.keys:
            trail.keys.append(place)
        if not is_own and not self.setting.spoken.operation.across:
            # Whose key it is learns of it all the same.
            raise AccessDeniedError
        return view

    def admit(
        self,
        view: KeyView,
        permission: str = "",
        context: Mapping[str, str] = NO_CONTEXT,
        *,
        further: Mapping[str, tuple[str, ...]] | None = None,
        suits: Callable[[GrantView], bool] = lambda _: True,
    ) -> None:
        """Raise AccessDeniedError unless the caller may do that with the key, by its policy or by a grant.

        `permission` is the operation's own unless given; `further` are condition keys that only this decision has; `suits` tells
        which grants may count.
        """
        permission = permission or self.setting.spoken.operation.permission
        asked = Asked(permission, self.arn(view), self.keys(view, context, further))
        operation = permission.removeprefix(PREFIX)
        self.setting.trail.note(decide_on_key(self.caller, asked, view, lambda one: one.fits(operation, context) and suits(one)))

    def admit_by(self, view: KeyView, policies: list[Policy]) -> None:
        """Raise AccessDeniedError unless the caller may, by the key's policy or by further ones."""
        asked = Asked(self.setting.spoken.operation.permission, self.arn(view), self.keys(view))
        self.setting.trail.note(decide(self.caller, asked, view.side_with(policies)))

    def admit_account(self, resource: str = "*", permission: str = "") -> None:
        """Raise AccessDeniedError unless the caller's own policies allow what is about no single key."""
        asked = Asked(permission or self.setting.spoken.operation.permission, resource, self.keys(None))
        self.setting.trail.note(decide(self.caller, asked, ResourceSide(self.account_id)))

    def keys(
        self,
        view: KeyView | None,
        context: Mapping[str, str] = NO_CONTEXT,
        further: Mapping[str, tuple[str, ...]] | None = None,
    ) -> KmsKeys:
        """Return the condition keys of the call with one of its keys."""
        setting = self.setting
        of_request = RequestKeys(
            setting.request,
            None,
            now_ms=self.now_ms,
            region=self.region,
            owner=self.account_id if view is None else view.account_id,
            existing_tags=dict,
            others={},
        )
        own = keys_of_call(setting.spoken.ask, self.account_id, None if view is None else view.key, context)

        def aliases() -> list[str]:
            if view is None:
                return []
            return [alias.name for alias in KeyBook(self.reader, view.account_id).aliases_of(view.key.key_id)]

        return KmsKeys(own | dict(further or {}), of_request, aliases)

    def end_dry_run(self) -> None:
        """Raise KmsDryRunError if the call is to tell only whether it would succeed."""
        if getattr(self.setting.spoken.ask, "dry_run", False):
            raise KmsDryRunError

    def check_state(self, view: KeyView) -> None:
        """Raise KmsDisabledError, KmsInvalidStateError unless the operation works in the key's state."""
        needs, state = self.setting.spoken.operation.needs, view.state
        if needs is Needs.PENDING and state is not KeyState.PENDING_DELETION:
            raise KmsInvalidStateError(f"{self.arn(view)} is not pending deletion.")
        if needs in {Needs.NOT_PENDING, Needs.MATERIAL, Needs.ENABLED} and state is KeyState.PENDING_DELETION:
            raise KmsInvalidStateError(f"{self.arn(view)} is pending deletion.")
        if needs is Needs.ENABLED and state is KeyState.DISABLED:
            raise KmsDisabledError(f"{self.arn(view)} is disabled.")
        if needs in {Needs.ENABLED, Needs.MATERIAL} and state is KeyState.PENDING_IMPORT:
            raise KmsInvalidStateError(f"{self.arn(view)} is pending import: it has no key material.")
        if needs is Needs.ENABLED and state is KeyState.UNAVAILABLE:
            raise KmsInvalidStateError(f"{self.arn(view)} is unavailable: its key store is not connected.")


class Change(Scene):
    """A change, inside its transaction."""

    def __init__(
        self,
        writer: Writer,
        setting: Setting,
        materials: Materials,
        reference_ms: int,
        finding: Finding | Unwrapped | None = None,
    ) -> None:
        """Change what belongs to accounts; `materials` makes what is new, from `reference_ms` a time until deletion counts.

        `finding` is what an external key store said, or the material that was unwrapped, where the operation needs it.
        """
        super().__init__(writer, FreshViews(writer, setting.now_ms), setting)
        self._finding = finding
        self.writer = writer
        self.materials = materials
        self.reference_ms = reference_ms

    def unwrapped_for(self, view: KeyView) -> bytes:
        """Return the material that was unwrapped for a key. Raises KmsInvalidStateError if it was for another."""
        found = self._finding
        if not isinstance(found, Unwrapped) or (found.account_id, found.key_id) != (view.account_id, view.key.key_id):
            raise KmsInvalidStateError("The key was changed meanwhile. The request can be made again.")
        return found.clear

    def finding_about(self, proxy: Proxy) -> Finding:
        """Return what a proxy said. Raises KmsCustomKeyStoreInvalidStateError if it was another that was asked."""
        if not isinstance(self._finding, Finding) or self._finding.proxy != proxy:
            raise KmsCustomKeyStoreInvalidStateError("The key store was changed meanwhile. The request can be made again.")
        return self._finding

    def book_of(self, account_id: str) -> KeyBookWriter:
        """Return the keys of an account, to be changed."""
        return KeyBookWriter(self.writer, account_id)


def take_page(entries: Iterable[tuple[str, V]], ask: Paged) -> tuple[list[V], str]:
    """Return the page that is asked for, of entries with their keys in ascending order, and the marker of the next one.

    Raises KmsInvalidMarkerError.
    """
    after = page_start(ask)
    page: list[V] = []
    last = ""
    for key, value in entries:
        if ask.marker is not None and key <= after:
            continue
        if len(page) == ask.limit:
            return page, urlsafe_b64encode(last.encode()).decode()
        page.append(value)
        last = key
    return page, ""


def page_start(ask: Paged) -> str:
    """Return the key behind which a page begins. Raises KmsInvalidMarkerError."""
    return "" if ask.marker is None else _read_marker(ask.marker)


def _read_marker(marker: str) -> str:
    try:
        return b64decode(marker, altchars=b"-_", validate=True).decode()
    except (Base64Error, ValueError) as error:
        raise KmsInvalidMarkerError from error


def _absent(region: str, named: NamedKey) -> KmsNotFoundError:
    if named.alias:
        return KmsNotFoundError(f"Alias {alias_arn(region, named.account_id, named.alias)} is not found.")
    return KmsNotFoundError(f"Key '{key_arn(region, named.account_id, named.key_id)}' does not exist")
