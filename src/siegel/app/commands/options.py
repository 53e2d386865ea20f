"""Arguments that several commands share."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Directory = Annotated[Path, Parameter(name="DIR", help="The data directory of the deployment.")]
Data = Annotated[Path, Parameter(name="--data", help="The data directory of the deployment.")]
Credentials = Annotated[
    Path | None, Parameter(name="--credentials", help="Also write the access key to this file, as AWS tools read it.")
]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object instead of text.")]
