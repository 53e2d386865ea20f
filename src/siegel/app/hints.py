"""The lines that `make run` ends with: paste them, and they work as printed."""

import importlib.util
import shlex
import sys
from pathlib import Path
from typing import Final

from siegel.app.orders import Orders

_TEXT: Final = """
The service runs; Ctrl-C stops it. In another terminal, first say who and where (the secret stays in its file):

export AWS_SHARED_CREDENTIALS_FILE={credentials} AWS_DEFAULT_REGION={region}

aws:

aws --endpoint-url {endpoint} s3 mb s3://first
aws --endpoint-url {endpoint} s3 cp /etc/services s3://first/services
aws --endpoint-url {endpoint} s3 ls s3://first

boto3:

{python} -c '
import boto3
s3 = boto3.client("s3", endpoint_url="{endpoint}")
s3.create_bucket(Bucket="second", CreateBucketConfiguration={{"LocationConstraint": "{region}"}})
s3.put_object(Bucket="second", Key="hello", Body=b"kept under seal")
print(s3.get_object(Bucket="second", Key="hello")["Body"].read())
'

rclone (Debian's fails wherever AWS_CA_BUNDLE is set):

export RCLONE_S3_PROVIDER=Other RCLONE_S3_ENV_AUTH=true RCLONE_S3_ENDPOINT={endpoint} RCLONE_S3_REGION={region}
env -u AWS_CA_BUNDLE rclone copy /etc/services :s3:third
env -u AWS_CA_BUNDLE rclone ls :s3:third"""


def render_hints(orders: Orders, credentials: Path) -> str:
    """Return lines for aws, boto3 and rclone against this service, with the access key in the file `credentials`."""
    has_boto3 = importlib.util.find_spec("boto3") is not None
    return _TEXT.format(
        endpoint=f"{orders.settings.scheme}://{orders.s3}",
        region=orders.settings.region,
        credentials=shlex.quote(str(credentials.absolute())),
        python=shlex.quote(sys.executable) if has_boto3 else "python3",
    )
