"""Consent, on the customer's side: his keys, what he signs, and how he asks the store for requests and hands it his answers.

Read `decisions.py` (what is signed), `keyfile.py` and `tokenkey.py` (by what), `pins.py` (whose signatures count), `desk.py` (the
store). The documents themselves are `siegel.ledger.consents`.
"""
