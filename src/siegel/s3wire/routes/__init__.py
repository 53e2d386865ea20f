"""The rows of the routing table, by topic: what each operation of S3 is, and what becomes of it here."""
