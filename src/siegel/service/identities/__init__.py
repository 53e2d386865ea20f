"""Users, groups, roles, policies and access keys of an account: the use cases of IAM."""
