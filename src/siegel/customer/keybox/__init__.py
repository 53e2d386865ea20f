"""The customer's key server: keys that the provider never has, a policy of its own, and a log of every use.

Read `content.py` (what a box holds), `server.py` (the way of a call), then the two faces `xks.py` and `kms.py`.
"""
