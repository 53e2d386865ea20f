"""`siegel serve`: run the service."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from siegel.app.commands.options import Directory
from siegel.app.config import load_config, resolve
from siegel.app.hints import render_hints
from siegel.app.serve import run_service


def serve(
    directory: Directory,
    /,
    *,
    s3: Annotated[str | None, Parameter(help="HOST:PORT of the S3 port; port 0 lets the system choose.")] = None,
    console: Annotated[str | None, Parameter(help="HOST:PORT kept for the console; nothing listens on it yet.")] = None,
    admin: Annotated[str | None, Parameter(help="HOST:PORT of the admin port (/-/live, /-/ready).")] = None,
    workers: Annotated[int | None, Parameter(help="Number of S3 processes; one per processor unless given.")] = None,
    tls_cert: Annotated[Path | None, Parameter(help="PEM file of the certificate chain; turns the S3 port to HTTPS.")] = None,
    tls_key: Annotated[Path | None, Parameter(help="PEM file of the certificate's private key (PKCS#8).")] = None,
    domain: Annotated[
        list[str] | None, Parameter(negative="", help="Domain below which BUCKET.DOMAIN names a bucket; may be repeated.")
    ] = None,
    hints: Annotated[
        Path | None,
        Parameter(help="Once ready, print lines to paste for aws, boto3 and rclone that use this credentials file."),
    ] = None,
) -> None:
    """Run the service; the help text is in `cli.py`."""
    flags = {
        "s3": s3,
        "console": console,
        "admin": admin,
        "workers": workers,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "domains": domain,
    }
    settings = resolve(load_config(directory, flags), directory)
    sys.exit(run_service(settings, lambda orders: render_hints(orders, hints) if hints else ""))
