"""The customer's key server as its own process: conformance to the XKS proxy API, the official KMS client, accidents."""
