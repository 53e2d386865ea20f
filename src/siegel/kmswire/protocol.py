"""The names that a request to KMS goes by. Apart from the table, which who only tells protocols apart need not load."""

from typing import Final

SERVICE: Final = "kms"
"""What requests are signed for."""

TARGET_PREFIX: Final = "TrentService."
"""What the header X-Amz-Target begins with; the operation follows."""
