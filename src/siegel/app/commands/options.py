"""Arguments that several commands share."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Directory = Annotated[Path, Parameter(name="DIR", help="The data directory of the deployment.")]
Data = Annotated[Path, Parameter(name="--data", help="The data directory of the deployment.")]
Credentials = Annotated[
    Path | None, Parameter(name="--credentials", help="Also write the access key to this new file, as AWS tools read it.")
]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object instead of text.")]
Pkcs11Module = Annotated[Path | None, Parameter(help="Library of a PKCS#11 module, for a root key in a token.")]
Pkcs11Token = Annotated[str | None, Parameter(help="Label of the PKCS#11 token.")]
Pkcs11Key = Annotated[str | None, Parameter(help="Label of the root key in the token, siegel-root unless given.")]
Pkcs11PinFile = Annotated[
    Path | None, Parameter(help="File of the token's PIN, mode 0600; else the PIN is taken from SIEGEL_PKCS11_PIN.")
]
