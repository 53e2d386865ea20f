"""The auditor: whether a ledger is what it was, is whole, and was seen by others. It believes nothing that it can compute.

Read `findings.py` (what is said), `walk.py` (what is computed), `book.py` (what is kept), `sync.py`.
"""
