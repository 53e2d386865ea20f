"""Ciphertexts of keys in external key stores: the key's own material first, the external key over it.

So the key server never sees what a customer encrypts, and without the key server nothing of it opens.

Source: AWS KMS Developer Guide, "External key stores", "Double encryption".
"""

from collections.abc import Mapping

from siegel.domain.errors import SealBrokenError
from siegel.domain.key_stores import KeyServerError
from siegel.domain.kms_errors import KmsInvalidCiphertextError
from siegel.envelope.keyblob import BlobHead, external_layer, join_external, read_blob_head
from siegel.envelope.outerlayer import decode_layer, encode_layer
from siegel.kmswire.xks import render_aad
from siegel.service.kms.inquiries import told
from siegel.service.kms.lapses import error_of_use
from siegel.service.kms.proxies import Proxies, Wrapping
from siegel.service.kms.scene import Scene
from siegel.service.kms.views import KeyDirectory, KeyView

Context = Mapping[str, str]


class ExternalCiphers:
    """Puts outer layers over ciphertexts of the key service, and takes them off. A dry run asks nobody."""

    def __init__(self, directory: KeyDirectory, proxies: Proxies) -> None:
        self._directory = directory
        self._proxies = proxies

    async def seal(self, scene: Scene, view: KeyView, inner: bytes, context: Context) -> bytes:
        """Return `inner` under its outer layer, which was opened again and compared. Raises KmsError."""
        scene.end_dry_run()
        try:
            layer = await self._proxies.encrypt(self._wrapping(scene, view, context), inner)
        except KeyServerError as error:
            raise error_of_use(error) from error
        return join_external(BlobHead(view.account_id, view.key.key_id), encode_layer(layer))

    async def open(self, scene: Scene, view: KeyView, blob: bytes, context: Context) -> bytes:
        """Return the ciphertext under an outer layer, if it is one of the same key. Raises KmsError."""
        scene.end_dry_run()
        try:
            layer = decode_layer(external_layer(blob))
            inner = await self._proxies.decrypt(self._wrapping(scene, view, context), layer)
            head = read_blob_head(inner)
        except SealBrokenError as error:
            raise KmsInvalidCiphertextError from error
        except KeyServerError as error:
            raise error_of_use(error) from error
        if head.is_external or (head.account_id, head.key_id) != (view.account_id, view.key.key_id):
            raise KmsInvalidCiphertextError
        return inner

    def _wrapping(self, scene: Scene, view: KeyView, context: Context) -> Wrapping:
        arn, trail = scene.caller.arn, scene.setting.trail
        trail.called.append(scene.arn(view))
        metadata = told(scene) | {
            "awsPrincipalArn": arn,
            "kmsKeyArn": scene.arn(view),
            "person": arn,
            "reason": trail.kind,
        }
        return Wrapping(self._directory.proxy(view), view.key.external_key_id, render_aad(context), metadata)
