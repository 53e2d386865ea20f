"""The lines that `make run` ends with: paste them, and they work as printed."""

import shlex
from pathlib import Path
from typing import Final

from siegel.app.orders import Orders

_INTRODUCTION: Final = """
The service runs; Ctrl-C stops it. In another terminal, first say where and who (the secret stays in its file):

    export AWS_ENDPOINT_URL={endpoint} AWS_DEFAULT_REGION={region} AWS_SHARED_CREDENTIALS_FILE={credentials}

then any of these blocks:
"""

_AWS: Final = """
    aws s3 mb s3://first
    aws s3 cp /etc/services s3://first/services
    aws s3 ls s3://first
"""

_BOTO3: Final = """
    python3 -c '
    import boto3
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="second", CreateBucketConfiguration={{"LocationConstraint": "{region}"}})
    s3.put_object(Bucket="second", Key="hello", Body=b"kept under seal")
    print(s3.get_object(Bucket="second", Key="hello")["Body"].read())
    '
"""

_RCLONE: Final = """
    export RCLONE_S3_PROVIDER=Other RCLONE_S3_ENV_AUTH=true RCLONE_S3_ENDPOINT={endpoint} RCLONE_S3_REGION={region}
    rclone copy /etc/services :s3:third
    rclone ls :s3:third
"""


def render_hints(orders: Orders, credentials: Path) -> str:
    """Return the lines for aws, boto3 and rclone against this service, with the access key in the file `credentials`."""
    # What is pasted must start at the left edge: Python minds.
    blocks = _INTRODUCTION + (_AWS + _BOTO3 + _RCLONE).replace("\n    ", "\n")
    return blocks.format(
        endpoint=f"{orders.settings.scheme}://{orders.s3}",
        region=orders.settings.region,
        credentials=shlex.quote(str(credentials.absolute())),
    ).rstrip()
