"""Drivers of the KeyCustodian port."""
