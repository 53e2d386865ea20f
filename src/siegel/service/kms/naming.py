"""Which key a write names: by its id, its ARN, an alias or the alias's ARN; by nothing at all, the account's own key for S3."""

from typing import Final

from siegel.domain.errors import AccessDeniedError, S3Error
from siegel.domain.key_errors import KeyInvalidArnError, KeyNotFoundError
from siegel.domain.kms_errors import KmsError, KmsInvalidArnError
from siegel.domain.wrapping_keys import alias_arn, key_arn
from siegel.envelope.objectkeys import Flags, Settings, encode_settings
from siegel.kmswire.names import NamedKey, parse_key_name
from siegel.s3wire.keywish import KeyWish
from siegel.service.kms.custody import Protection, missing_key
from siegel.service.kms.datakeys import DataKeys
from siegel.service.kms.managed import MANAGED_ALIAS, ManagedKeys
from siegel.service.kms.views import REMEMBERED_MAX, KeyDirectory
from siegel.service.trail import Trail

_SHOWN_CHARS_MAX: Final = 200


class KeyNames:
    """Finds the keys that writes name."""

    def __init__(self, directory: KeyDirectory, data_keys: DataKeys, managed: ManagedKeys, region: str) -> None:
        self._directory = directory
        self._data_keys = data_keys
        self._managed = managed
        self._region = region
        self._generation = -1
        self._found: dict[tuple[str, str, bool, bool], Protection] = {}

    async def find(self, wish: KeyWish, account_id: str, trail: Trail) -> Protection:
        """Return the key that a wish means; what is no ARN means one of the account `account_id`.

        Raises KeyNotFoundError, KeyInvalidArnError; AccessDeniedError where another account than the caller's has no such key.
        """
        generation = self._directory.generation()
        if generation != self._generation or len(self._found) >= REMEMBERED_MAX:
            self._found.clear()
            self._generation = generation
        place = wish.key_name, account_id, wish.is_dsse, wish.with_bucket_key
        known = None if wish.context else self._found.get(place)
        if known is None or not known.is_lasting:
            known = self._data_keys.protection(await self._look_up(wish, account_id, trail))
            if not wish.context and known.generation == generation:
                self._found[place] = known
        return known

    async def _look_up(self, wish: KeyWish, account_id: str, trail: Trail) -> bytes:
        named = self._parse(wish.key_name or MANAGED_ALIAS, account_id)
        is_own = named.account_id == trail.caller.account_id
        key_id = self._key_id(named)
        if not key_id and is_own and named.alias == MANAGED_ALIAS:
            await self._managed.create(named.account_id, trail)
            key_id = self._key_id(named)
        if key_id and self._directory.find(named.account_id, key_id) is not None:
            return encode_settings(Settings(named.account_id, key_id, _flags(wish), wish.context))
        raise self._missing(named) if is_own else AccessDeniedError()

    def _parse(self, name: str, account_id: str) -> NamedKey:
        try:
            return parse_key_name(name, self._region, account_id, takes_alias=True)
        except KmsError as error:
            refusal = KeyInvalidArnError if isinstance(error, KmsInvalidArnError) else KeyNotFoundError
            raise refusal(error.text) from error

    def _key_id(self, named: NamedKey) -> str:
        return (self._directory.key_id_of(named.account_id, named.alias) or "") if named.alias else named.key_id

    def _missing(self, named: NamedKey) -> S3Error:
        if named.alias:
            alias = alias_arn(self._region, named.account_id, named.alias[:_SHOWN_CHARS_MAX])
            return KeyNotFoundError(f"Alias {alias} is not found.")
        return missing_key(key_arn(self._region, named.account_id, named.key_id[:_SHOWN_CHARS_MAX]))


def _flags(wish: KeyWish) -> Flags:
    flags = Flags.DSSE if wish.is_dsse else Flags.NONE
    return flags | Flags.BUCKET_KEY if wish.with_bucket_key else flags
