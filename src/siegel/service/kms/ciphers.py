"""What keys are for: encrypt and decrypt small texts, make and open data keys, bound to an encryption context.

Source: AWS KMS API Reference, "Encrypt", "Decrypt", "GenerateDataKey", "ReEncrypt", "GenerateRandom".
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from siegel.domain.errors import AccessDeniedError, SealBrokenError
from siegel.domain.kms_errors import KmsIncorrectKeyError, KmsInvalidCiphertextError, KmsValidationError
from siegel.domain.ports import Randomness
from siegel.envelope.keyblob import BLOB_RANDOM_BYTES, BlobHead, open_blob, read_blob_head, seal_blob
from siegel.kmswire.answers import ALGORITHM, Answer, material_id
from siegel.kmswire.asks import Decrypt, Encrypt, GenerateDataKey, GenerateRandom, ReEncrypt
from siegel.kmswire.names import NamedKey
from siegel.service.kms.external import ExternalCiphers
from siegel.service.kms.scene import Scene
from siegel.service.kms.views import KeyDirectory, KeyView

Context = Mapping[str, str]

_SIZES: Final = {"AES_128": 16, "AES_256": 32}


class Sealed(Struct, frozen=True):
    """A ciphertext to be opened: under which encryption context, and by which key if the caller says so."""

    blob: bytes
    context: Context
    key_name: str | None


class Opened(Struct, frozen=True):
    """What a ciphertext holds, and what opened it."""

    view: KeyView
    material: int
    plaintext: bytes

    def __repr__(self) -> str:
        return f"Opened({self.view.key.key_id}, {self.material})"


class Ciphers:
    """The operations that use material."""

    def __init__(self, directory: KeyDirectory, external: ExternalCiphers, randomness: Randomness) -> None:
        self._directory = directory
        self._external = external
        self._randomness = randomness

    async def encrypt(self, scene: Scene, ask: Encrypt) -> Answer:
        """Encrypt up to 4 KiB."""
        view = scene.key(ask.key_id, context=ask.encryption_context)
        blob = await self._seal(scene, view, ask.plaintext, ask.encryption_context)
        return {"CiphertextBlob": blob, "KeyId": scene.arn(view), "EncryptionAlgorithm": ALGORITHM}

    async def decrypt(self, scene: Scene, ask: Decrypt) -> Answer:
        """Decrypt what any material of the key encrypted."""
        opened = await self._open(scene, Sealed(ask.ciphertext_blob, ask.encryption_context, ask.key_id))
        return {
            "KeyId": scene.arn(opened.view),
            "Plaintext": opened.plaintext,
            "EncryptionAlgorithm": ALGORITHM,
            **_material_id("KeyMaterialId", opened.view, opened.material),
        }

    async def generate_data_key(self, scene: Scene, ask: GenerateDataKey) -> Answer:
        """Make a data key; return it in clear, and encrypted."""
        view, data_key = self._data_key(scene, ask)
        sealed = await self._sealed_data_key(scene, view, data_key, ask.encryption_context)
        return sealed | {"Plaintext": data_key}

    async def generate_data_key_without_plaintext(self, scene: Scene, ask: GenerateDataKey) -> Answer:
        """Make a data key; return it encrypted."""
        view, data_key = self._data_key(scene, ask)
        return await self._sealed_data_key(scene, view, data_key, ask.encryption_context)

    async def re_encrypt(self, scene: Scene, ask: ReEncrypt) -> Answer:
        """Decrypt, and encrypt with another key or another context, without showing what it is."""
        target = scene.find(ask.destination_key_id)
        source = Sealed(ask.ciphertext_blob, ask.source_encryption_context, ask.source_key_id)
        opened = await self._open(scene, source, "kms:ReEncryptFrom", target)
        is_same = target.key.key_id == opened.view.key.key_id
        further = {"kms:reencryptonsamekey": ("true" if is_same else "false",)}
        scene.admit(target, "kms:ReEncryptTo", ask.destination_encryption_context, further=further)
        scene.check_state(target)
        return {
            "CiphertextBlob": await self._seal(scene, target, opened.plaintext, ask.destination_encryption_context),
            "SourceKeyId": scene.arn(opened.view),
            "KeyId": scene.arn(target),
            "SourceEncryptionAlgorithm": ALGORITHM,
            "DestinationEncryptionAlgorithm": ALGORITHM,
            **_material_id("SourceKeyMaterialId", opened.view, opened.material),
            **_material_id("DestinationKeyMaterialId", target, target.key.materials[-1].number),
        }

    async def generate_random(self, scene: Scene, ask: GenerateRandom) -> Answer:
        """Return random bytes."""
        scene.admit_account()
        return {"Plaintext": self._randomness.bytes(ask.number_of_bytes)}

    def _data_key(self, scene: Scene, ask: GenerateDataKey) -> tuple[KeyView, bytes]:
        if (ask.key_spec is None) == (ask.number_of_bytes is None):
            raise KmsValidationError("Please specify either number of bytes or key spec.")
        view = scene.key(ask.key_id, context=ask.encryption_context)
        size = ask.number_of_bytes or _SIZES[ask.key_spec or "AES_256"]
        return view, self._randomness.bytes(size)

    async def _sealed_data_key(self, scene: Scene, view: KeyView, data_key: bytes, context: Context) -> dict[str, object]:
        return {
            "CiphertextBlob": await self._seal(scene, view, data_key, context),
            "KeyId": scene.arn(view),
            **_material_id("KeyMaterialId", view, view.key.materials[-1].number),
        }

    async def _seal(self, scene: Scene, view: KeyView, plaintext: bytes, context: Context) -> bytes:
        """Encrypt with the newest material; the ciphertext was opened again and compared."""
        number = view.key.materials[-1].number
        material = self._directory.material(view, number)
        if material is None:
            raise SealBrokenError("a key has no material")
        head = BlobHead(view.account_id, view.key.key_id, number)
        blob = seal_blob(material, head, plaintext, context, self._randomness.bytes(BLOB_RANDOM_BYTES))
        return await self._external.seal(scene, view, blob, context) if view.key.is_external else blob

    async def _open(self, scene: Scene, sealed: Sealed, permission: str = "", target: KeyView | None = None) -> Opened:
        head = _read_head(sealed.blob)
        view = _find_by_blob(scene, head) if sealed.key_name is None else scene.find(sealed.key_name)
        further: dict[str, tuple[str, ...]] = {}
        if target is not None:
            further["kms:reencryptonsamekey"] = ("true" if target.key.key_id == view.key.key_id else "false",)
        scene.admit(view, permission, sealed.context, further=further)
        scene.check_state(view)
        if (view.account_id, view.key.key_id) != (head.account_id, head.key_id):
            raise KmsIncorrectKeyError
        blob = sealed.blob
        if head.is_external:
            blob = await self._external.open(scene, view, blob, sealed.context)
            head = _read_head(blob)
        elif view.key.is_external:
            # Nothing that is under the key's own material alone was ever given out.
            raise KmsInvalidCiphertextError
        try:
            material = self._directory.material(view, head.material)
            if material is None:
                raise KmsInvalidCiphertextError
            return Opened(view, head.material, open_blob(material, blob, sealed.context))
        except SealBrokenError as error:
            raise KmsInvalidCiphertextError from error


def _read_head(blob: bytes) -> BlobHead:
    try:
        return read_blob_head(blob)
    except SealBrokenError as error:
        raise KmsInvalidCiphertextError from error


def _find_by_blob(scene: Scene, head: BlobHead) -> KeyView:
    """Return the key that a ciphertext names; where there is none, nobody learns that. Raises AccessDeniedError."""
    if scene.views.find(head.account_id, head.key_id) is None:
        raise AccessDeniedError(
            "The ciphertext refers to a key that does not exist, does not exist in this region, or you are not allowed to access."
        )
    return scene.look_up(NamedKey(head.account_id, key_id=head.key_id))


def _material_id(name: str, view: KeyView, number: int) -> Answer:
    """Return the member that names a material; those of keys in external key stores have no name."""
    if view.key.is_external:
        return {}
    material = next(material for material in view.key.materials if material.number == number)
    return {name: material_id(view.account_id, view.key, material)}
