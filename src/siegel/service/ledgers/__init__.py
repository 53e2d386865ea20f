"""The ledger's use cases: the journal's entries into the accounts' logs, heads signed, files shown."""
