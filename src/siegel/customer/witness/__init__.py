"""A witness of transparency logs (c2sp.org/tlog-witness): it signs a log's tree only if it is a later state of the one before.

Read `steps.py` (what is checked), `folder.py` (what is kept), `server.py` (what is answered).
"""
