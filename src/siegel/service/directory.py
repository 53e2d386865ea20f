"""The directory: buckets, their configurations, accounts and credentials, remembered while the store's generation stands.

Any process that changes one of them bumps the generation before its change is acknowledged, so what is remembered here is
never older than the newest acknowledged change.
"""

from typing import Final, TypeVar, cast

from siegel.access.caller import ANONYMOUS, Caller
from siegel.access.evaluation import ResourceSide
from siegel.domain.errors import ExpiredTokenError, InvalidAccessKeyIdError, NoSuchBucketError
from siegel.domain.objects import Account, Bucket, Credential, CredentialKind
from siegel.domain.ports import Clock, MetaStore
from siegel.domain.records import Document, Kind, bucket_scope, decode_document
from siegel.domain.sessions import Session
from siegel.s3wire.sigv4 import Claim, signing_key
from siegel.service.bucketpolicies import read_resource_side
from siegel.service.keys import BucketKeys, KeyRing
from siegel.service.principals import resolve
from siegel.service.session_callers import session_caller
from siegel.service.session_tokens import SessionTokens

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D", bound=Document)

REMEMBERED_MAX: Final = 10_000


class Directory:
    """Answers from memory; asks the store again after any change to buckets, their configurations or identities."""

    def __init__(self, store: MetaStore, keyring: KeyRing, tokens: SessionTokens, clock: Clock) -> None:
        self._store = store
        self._generation_now = store.generation
        self._keyring = keyring
        self._tokens = tokens
        self._clock = clock
        self._generation = -1
        # Tokens never change what they say: these outlive generations.
        self._sessions: dict[tuple[str, str], Session] = {}
        self._buckets: dict[str, Bucket] = {}
        self._sides: dict[int, ResourceSide] = {}
        self._accounts: dict[str, Account] = {}
        self._credentials: dict[str, Credential] = {}
        self._callers: dict[tuple[str, str], Caller] = {}
        self._signing_keys: dict[tuple[str, str, str, str, str], bytes] = {}
        self._documents: dict[tuple[int, Kind], Document | None] = {}

    def generation(self) -> int:
        """Return the generation that answers from now on are true for."""
        generation = self._generation_now()
        if generation != self._generation:
            self._forget()
            self._generation = generation
        return generation

    def _forget(self) -> None:
        self._buckets.clear()
        self._sides.clear()
        self._accounts.clear()
        self._credentials.clear()
        self._callers.clear()
        self._signing_keys.clear()
        self._documents.clear()
        self._keyring.forget()

    def bucket(self, name: str) -> Bucket:
        """Return the bucket. Raises NoSuchBucketError."""
        self.generation()
        known = self._buckets.get(name)
        if known is None:
            known = self._store.reader.buckets.find(name)
            if known is None:
                raise NoSuchBucketError(fields={"BucketName": name})
            self._remember(self._buckets, name, known)
        return known

    def document(self, bucket: Bucket, kind: Kind, document_type: type[D]) -> D | None:
        """Return what configures the bucket in this respect, None where nothing does. Raises StorageError if it is damaged.

        Each kind has one type of document, the same in every call.
        """
        self.generation()
        place = bucket.bucket_id, kind
        if place in self._documents:
            return cast("D | None", self._documents[place])
        stored = self._store.reader.records.find(bucket_scope(bucket.bucket_id), kind)
        document = None if stored is None else decode_document(stored, document_type)
        self._remember(self._documents, place, document)
        return document

    def resource_side(self, bucket: Bucket) -> ResourceSide:
        """Return what the bucket itself says about who may use it.

        Raises StorageError if that cannot be read: then nobody may, until it can.
        """
        self.generation()
        known = self._sides.get(bucket.bucket_id)
        if known is None:
            known = read_resource_side(self._store.reader, bucket)
            self._remember(self._sides, bucket.bucket_id, known)
        return known

    def account(self, account_id: str) -> Account:
        """Return an account that is known to exist. Raises NoSuchBucketError if it does not: then nothing of it does."""
        self.generation()
        known = self._accounts.get(account_id)
        if known is None:
            known = self._store.reader.identities.find_account(account_id)
            if known is None:
                raise NoSuchBucketError
            self._remember(self._accounts, account_id, known)
        return known

    def has_account(self, account_id: str) -> bool:
        """Whether there is such an account."""
        try:
            self.account(account_id)
        except NoSuchBucketError:
            return False
        return True

    def keys_of(self, bucket: Bucket) -> BucketKeys:
        """Return the bucket's record keys."""
        return self._keyring.of_bucket(self.account(bucket.account_id), bucket)

    def caller(self, claim: Claim | None) -> Caller:
        """Return who a claim speaks for; it still has to be verified.

        Operators' keys are not found here: the S3 side knows accounts' principals only.
        Raises InvalidAccessKeyIdError, InvalidTokenError, ExpiredTokenError, StorageError if a policy of the principal
        cannot be read.
        """
        if claim is None:
            return ANONYMOUS
        self.generation()
        session = self._session(claim) if claim.session_token else None
        known = self._callers.get((claim.access_key_id, claim.session_token))
        if known is None:
            if session is None:
                known = resolve(self._store.reader, self._credential(claim.access_key_id))
            else:
                known = session_caller(self._store.reader, session, claim.access_key_id)
            self._remember(self._callers, (claim.access_key_id, claim.session_token), known)
        return known

    def signing_key(self, claim: Claim) -> bytes:
        """Return the signing key that a claim must have been made with.

        Raises InvalidAccessKeyIdError, InvalidTokenError, ExpiredTokenError, SealBrokenError.
        """
        self.generation()
        session = self._session(claim) if claim.session_token else None
        scope = (claim.access_key_id, claim.session_token, claim.date, claim.region, claim.service)
        known = self._signing_keys.get(scope)
        if known is None:
            secret = self._secret(claim.access_key_id) if session is None else session.secret
            known = signing_key(secret, claim.date, claim.region, claim.service)
            self._remember(self._signing_keys, scope, known)
        return known

    def _session(self, claim: Claim) -> Session:
        """Return what a claim's token says, opened at its first use only; its time is looked at each time."""
        place = claim.access_key_id, claim.session_token
        known = self._sessions.get(place)
        if known is None:
            known = self._tokens.open(*place)
            self._remember(self._sessions, place, known)
        if known.expires_at_ms <= self._clock.now_ms():
            raise ExpiredTokenError
        return known

    def _secret(self, access_key_id: str) -> str:
        return self._keyring.open_secret(self._credential(access_key_id))

    def _credential(self, access_key_id: str) -> Credential:
        self.generation()
        known = self._credentials.get(access_key_id)
        if known is None:
            known = self._store.reader.identities.find_credential(access_key_id)
            if known is None or known.kind is CredentialKind.OPERATOR or not known.is_active:
                raise InvalidAccessKeyIdError(fields={"AWSAccessKeyId": access_key_id})
            self._remember(self._credentials, access_key_id, known)
        return known

    @staticmethod
    def _remember(memory: dict[K, V], name: K, value: V) -> None:
        if len(memory) >= REMEMBERED_MAX:
            memory.clear()
        memory[name] = value
