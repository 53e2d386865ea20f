"""The key service: keys of customers, held by the local custodian, and what is done with them."""
