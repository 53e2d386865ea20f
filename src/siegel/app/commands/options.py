"""Arguments that several commands share."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Directory = Annotated[Path, Parameter(name="DIR", help="The data directory of the deployment.")]
Data = Annotated[Path, Parameter(name="--data", help="The data directory of the deployment.")]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object instead of text.")]
