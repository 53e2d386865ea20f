"""What a call is decided by, as it is on the disk at that moment: the box's content, the policy, the consents.

The files are looked at with every call, so that `siegel keybox disable`, an edited policy and a revoked consent count from the
next call on. What cannot be read denies: a damaged box or a policy that is empty or has a typing error lets nothing through.
"""

import logging
from functools import partial
from pathlib import Path
from typing import Final

from siegel.customer.keybox.ciphers import Secret
from siegel.customer.keybox.consents import Consents, is_operators, mark_of
from siegel.customer.keybox.content import Content, Key
from siegel.customer.keybox.folder import BOX_NAME, POLICY_NAME, OpenBox
from siegel.customer.keybox.policy import POLICY_BYTES_MAX, TRY_COMMENT, Policy, read_policy
from siegel.customer.keybox.refusals import RefusedError
from siegel.customer.keybox.token import Token
from siegel.customer.keybox.uses import Use
from siegel.domain.errors import ConfigurationError, PolicyError

# No label of a cipher: what comes of it is no key of any call.
_TRIAL: Final = b"siegel keybox trial v1\x00"

_log = logging.getLogger(__name__)


class Desk:
    """The state of one box, always fresh."""

    def __init__(self, box: OpenBox, token: Token | None = None) -> None:
        """Read the policy too. Raises ConfigurationError where it is wrong, and where keys are in a token that is not given."""
        self._box = box
        self._token = token
        self._consents = Consents(box.folder)
        self._box_path = box.folder / BOX_NAME
        self._policy_path = box.folder / POLICY_NAME
        self._box_mark = mark_of(self._box_path)
        box.reload()
        self._policy_mark = mark_of(self._policy_path)
        self._policy: Policy | None = load_policy(self._policy_path)
        for key in box.content.keys:
            if key.material is None:
                _token_of(key, token).check_holds(key)

    def content(self) -> Content:
        """Return the content as it is now. Raises RefusedError (InternalException) where it cannot be read."""
        mark = mark_of(self._box_path)
        if mark != self._box_mark:
            try:
                self._box.reload()
            except ConfigurationError:
                raise RefusedError("InternalException", "The box of the key server cannot be read.") from None
            self._box_mark = mark
        return self._box.content

    def secret_of(self, key: Key) -> Secret:
        """Return what a key is used by. Raises RefusedError (InternalException), or later does so, where its token is away."""
        return key.material if key.material is not None else partial(self._by_token, key)

    def check_token(self, content: Content) -> None:
        """Let the token work, if keys are in it. Raises RefusedError (InternalException) where it cannot."""
        for key in content.keys:
            if key.material is None:
                self._by_token(key, _TRIAL)
                return

    def _by_token(self, key: Key, data: bytes) -> bytes:
        try:
            return _token_of(key, self._token).hmac(key, data)
        except ConfigurationError as error:
            _log.error("%s", error)
            raise RefusedError("InternalException", "The token that holds the key cannot be used.") from None

    def admit(self, use: Use, key: Key, now_ms: int) -> None:
        """Let a use of `key` pass by the policy as it is now; the provider's people need a consent too. Raises RefusedError."""
        mark = mark_of(self._policy_path)
        if mark != self._policy_mark:
            try:
                self._policy = load_policy(self._policy_path)
            except ConfigurationError:
                self._policy = None
            self._policy_mark = mark
        if self._policy is None:
            raise RefusedError(
                "AccessDeniedException", "The policy cannot be read, so it allows nothing: siegel keybox policy DIR"
            )
        self._policy.admit(use, key, now_ms)
        if is_operators(use):
            self._consents.admit(use, now_ms)


def load_policy(path: Path) -> Policy:
    """Read the policy's file. Raises ConfigurationError, also where there is none: an editor may be about to replace it."""
    try:
        return read_policy(_read_whole(path).decode())
    except FileNotFoundError:
        raise ConfigurationError(f"{path} is missing, so nothing is allowed\n{TRY_COMMENT}") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is no text in UTF-8") from None
    except (PolicyError, ConfigurationError) as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _read_whole(path: Path) -> bytes:
    with path.open("rb") as stream:
        data = stream.read(POLICY_BYTES_MAX + 1)
    if len(data) > POLICY_BYTES_MAX:
        raise ConfigurationError(f"a policy has at most {POLICY_BYTES_MAX} bytes")
    return data


def _token_of(key: Key, token: Token | None) -> Token:
    if token is None:
        raise ConfigurationError(f"the key {key.key_id} is in a token\ntry: --pkcs11-module, --pkcs11-token, --pkcs11-pin-file")
    return token
