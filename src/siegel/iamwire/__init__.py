"""Floor 1: the query protocol of IAM and STS, pure."""
