"""The write paths of objects under keys of the key service: of the deployment, brought along, and of a key server alone."""

import base64
from typing import Final

import msgspec

from siegel.app.verify.box import Box
from siegel.app.verify.canaries import Canary
from siegel.app.verify.client import InProcessClient
from siegel.app.verify.paths import LARGE_BYTES, SMALL_BYTES, WritePaths, walk_in_order
from siegel.domain.wrapping_keys import KeyState
from siegel.envelope.derive import KEY_BYTES
from siegel.envelope.importing import ImportWrapping, wrap_import

_SSE: Final = "x-amz-server-side-encryption"


class KeyPaths:
    """Makes keys of the guest, and writes canaries under them into its bucket."""

    def __init__(self, client: InProcessClient, canary: Canary, paths: WritePaths, account_id: str) -> None:
        """Write by `paths`, which have made the bucket; `account_id` is the guest's."""
        self._client = client
        self._canary = canary
        self._paths = paths
        self._account_id = account_id

    async def walk(self, box: Box) -> list[str]:
        """Write through every path; return their names."""
        local = await self._walk("local", await self._make_key("local", {}))
        external = await self._walk("external", await self._make_key("external", await self._connect(box)))
        imported = await self._walk("imported", await self._make_key("imported", {"Origin": "EXTERNAL"}))
        return [*local, *external, *imported, "imported key, its material"]

    async def _connect(self, box: Box) -> dict[str, object]:
        """Make a key store of the box; return what makes a key one of its keys."""
        options = {"CustomKeyStoreName": self._canary.mark, **box.store_options}
        store_id = (await self._client.call_kms("CreateCustomKeyStore", options))["CustomKeyStoreId"]
        await self._client.call_kms("ConnectCustomKeyStore", {"CustomKeyStoreId": store_id})
        return {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store_id, "XksKeyId": box.key_id}

    async def _walk(self, kind: str, arn: str) -> list[str]:
        under, twice = self._under("aws:kms", arn), self._under("aws:kms:dsse", arn)
        described = {**self._paths.description(), **under}
        configuration = (
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>"
            f"<KMSMasterKeyID>{arn}</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
        )
        update = f"<ObjectEncryption><SSE-KMS><KMSKeyArn>{arn}</KMSKeyArn></SSE-KMS></ObjectEncryption>"
        walked = {
            "small": self._paths.put(f"{kind}-small", SMALL_BYTES, described),
            "large": self._paths.put(f"{kind}-large", LARGE_BYTES, described),
            "two layers, small": self._paths.put(f"{kind}-twice-small", SMALL_BYTES, twice),
            "two layers, large": self._paths.put(f"{kind}-twice-large", LARGE_BYTES, twice),
            "copy": self._paths.copy("large", f"{kind}-copied", under),
            "parts": self._paths.put_in_parts(f"{kind}-assembled", under),
            "upload in progress": self._paths.begin(f"{kind}-unfinished", under),
            "another key": self._rekey(f"{kind}-rekeyed", update.encode()),
            "bucket's default": self._put_by_default(f"{kind}-default", configuration.encode()),
            "ciphertexts": self._client.call_kms("Encrypt", {"KeyId": arn, "Plaintext": self._canary.mark.encode()}),
        }
        await walk_in_order(walked.values())
        return [f"{kind} key, {name}" for name in walked]

    async def _make_key(self, kind: str, options: dict[str, object]) -> str:
        """Make a key whose description, tag, alias and grant have the mark; return its ARN."""
        mark = self._canary.mark
        tags = [{"TagKey": mark, "TagValue": f"of-{mark}"}]
        made = await self._client.call_kms("CreateKey", {"Description": f"{mark}, {kind}", "Tags": tags, **options})
        arn: str = made["KeyMetadata"]["Arn"]
        if made["KeyMetadata"]["KeyState"] == KeyState.PENDING_IMPORT:
            await self._fill(arn)
        await self._client.call_kms("CreateAlias", {"AliasName": f"alias/{kind}-{mark}", "TargetKeyId": arn})
        grant = {"Name": mark, "GranteePrincipal": f"arn:aws:iam::{self._account_id}:root", "Operations": ["Decrypt"]}
        await self._client.call_kms("CreateGrant", {"KeyId": arn, **grant})
        return arn

    async def _fill(self, arn: str) -> None:
        """Give a key three materials that are canaries: an older one, its current one, and one that waits for a rotation."""
        await self._bring_along(arn, "older material")
        await self._bring_along(arn, "current material")
        await self._client.call_kms("RotateKeyOnDemand", {"KeyId": arn})
        await self._bring_along(arn, "pending material")

    async def _bring_along(self, arn: str, name: str) -> None:
        asked = {"KeyId": arn, "WrappingAlgorithm": ImportWrapping.OAEP_SHA_256, "WrappingKeySpec": "RSA_2048"}
        given = await self._client.call_kms("GetParametersForImport", asked)
        wrapped = wrap_import(base64.b64decode(given["PublicKey"]), self._canary.body(name, KEY_BYTES))
        options = {"ImportType": "NEW_KEY_MATERIAL", "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
        members = {"KeyId": arn, "ImportToken": given["ImportToken"], "EncryptedKeyMaterial": wrapped, **options}
        await self._client.call_kms("ImportKeyMaterial", members)

    def _under(self, algorithm: str, arn: str) -> dict[str, str]:
        context = base64.b64encode(msgspec.json.encode({"canary": self._canary.mark})).decode()
        return {_SSE: algorithm, f"{_SSE}-aws-kms-key-id": arn, f"{_SSE}-context": context}

    async def _rekey(self, name: str, wanted: bytes) -> None:
        await self._paths.put(name, LARGE_BYTES, self._paths.description())
        await self._paths.configure("encryption", wanted, name)

    async def _put_by_default(self, name: str, configuration: bytes) -> None:
        await self._paths.configure("encryption", configuration)
        await self._paths.put(name, SMALL_BYTES, {})
