"""Floor 1: the S3 protocol, pure. Bytes and times in, typed values and bytes out; no I/O, no clock."""
