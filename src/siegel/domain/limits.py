"""Every limit of the service, by name and with its unit: a request beyond one is refused, never cut.

Values are those of Amazon S3 where S3 publishes one (User Guide, "Amazon S3 quotas"; REST API reference), else our own.
"""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB

# The request head.
URL_BYTES_MAX: Final = 16 * KIB
HEADERS_BYTES_MAX: Final = 64 * KIB
# The HTTP server itself answers 431 beyond this number.
HEADERS_COUNT_MAX: Final = 100

# Names.
OBJECT_KEY_BYTES_MAX: Final = 1024
USER_METADATA_BYTES_MAX: Final = 2 * KIB
OBJECT_TAGS_MAX: Final = 10
BUCKET_TAGS_MAX: Final = 50
TAG_KEY_CHARS_MAX: Final = 128
TAG_VALUE_CHARS_MAX: Final = 256
BUCKETS_PER_ACCOUNT_MAX: Final = 10_000

# Rules for browsers of other origins.
CORS_RULES_MAX: Final = 100
CORS_BYTES_MAX: Final = 64 * KIB
CORS_ID_CHARS_MAX: Final = 255

# Policy documents. Where characters are counted, white space does not count.
BUCKET_POLICY_BYTES_MAX: Final = 20 * KIB
KEY_POLICY_BYTES_MAX: Final = 32 * KIB
IDENTITY_POLICY_CHARS_MAX: Final = 6144
TRUST_POLICY_CHARS_MAX: Final = 2048
SESSION_POLICY_CHARS_MAX: Final = 2048
POLICY_BYTES_MAX: Final = 128 * KIB

# Requests of the query protocol (IAM, STS).
QUERY_BODY_BYTES_MAX: Final = MIB
QUERY_PARAMETERS_MAX: Final = 2000

# Identities, of one account (AWS IAM User Guide, "IAM and AWS STS quotas"; the larger ones are our own).
USERS_MAX: Final = 5000
GROUPS_MAX: Final = 5000
ROLES_MAX: Final = 5000
MANAGED_POLICIES_MAX: Final = 5000
ACCESS_KEYS_PER_USER_MAX: Final = 2
GROUPS_PER_USER_MAX: Final = 10
ATTACHED_POLICIES_MAX: Final = 10
OIDC_PROVIDERS_MAX: Final = 100
CLIENT_IDS_MAX: Final = 100
POLICY_VERSIONS_MAX: Final = 5
IDENTITY_TAGS_MAX: Final = 50
# Of all inline policies together, white space left out.
USER_INLINE_CHARS_MAX: Final = 2048
GROUP_INLINE_CHARS_MAX: Final = 5120
ROLE_INLINE_CHARS_MAX: Final = 10_240

# The key service (AWS KMS Developer Guide, "Quotas"; the numbers of keys, aliases, grants and key stores are our own, so that no
# list of them keeps others waiting).
KMS_BODY_BYTES_MAX: Final = 256 * KIB
KMS_PLAINTEXT_BYTES_MAX: Final = 4 * KIB
KMS_CIPHERTEXT_BYTES_MAX: Final = 6144
KMS_CONTEXT_BYTES_MAX: Final = 8 * KIB
KMS_RANDOM_BYTES_MAX: Final = 1024
KMS_KEYS_MAX: Final = 1000
KMS_ALIASES_MAX: Final = 5000
KMS_ALIASES_PER_KEY_MAX: Final = 50
KMS_GRANTS_PER_KEY_MAX: Final = 1000
KMS_TAGS_MAX: Final = 50
KMS_ROTATIONS_ON_DEMAND_MAX: Final = 25
KMS_IMPORT_TOKEN_S: Final = 24 * 3600
KMS_IMPORT_DAYS_MAX: Final = 365
KMS_IMPORT_PAIRS_WAITING_MAX: Final = 8
KMS_DELETION_DAYS_MIN: Final = 7
KMS_DELETION_DAYS_MAX: Final = 30
KMS_ROTATION_DAYS_MIN: Final = 90
KMS_ROTATION_DAYS_MAX: Final = 2560
KMS_KEY_STORES_MAX: Final = 50

# External key stores (aws/aws-kms-xksproxy-api-spec; what the specification leaves open is our own).
XKS_CALL_S_MAX: Final = 0.25
XKS_CALLS_AT_ONCE_MAX: Final = 32
XKS_CALLS_WAITING_MAX: Final = 512
XKS_ANSWER_BYTES_MAX: Final = 32 * KIB
XKS_PLAINTEXT_BYTES_MAX: Final = 4300
XKS_AAD_BYTES_MAX: Final = 8 * KIB
XKS_CIPHERTEXT_METADATA_BYTES_MAX: Final = 20
XKS_FLEET_MAX: Final = 10
XKS_KEY_USAGES_MAX: Final = 10

# How long a data key that an external key store has opened may be used without asking again.
DATA_KEY_S_DEFAULT: Final = 60
DATA_KEY_S_MAX: Final = 3600
DATA_KEYS_MAX: Final = 10_000

# Bodies.
OBJECT_BYTES_MAX: Final = 48_800 * GIB
PUT_BYTES_MAX: Final = 5 * GIB
PART_BYTES_MAX: Final = 5 * GIB
PART_BYTES_MIN: Final = 5 * MIB
PART_NUMBER_MAX: Final = 10_000
COPY_BYTES_MAX: Final = 5 * GIB
XML_BYTES_MAX: Final = 4 * MIB
ADMIN_BODY_BYTES_MAX: Final = 64 * KIB
FRAME_HEAD_BYTES_MAX: Final = 512
TRAILER_BYTES_MAX: Final = 4 * KIB

# Forms of browsers. Everything before the file's own bytes counts, boundaries and heads of parts included; so does what follows.
FORM_FIELDS_BYTES_MAX: Final = 20 * KIB
FORM_FIELDS_MAX: Final = 100
FORM_TAIL_BYTES_MAX: Final = 20 * KIB
FORM_PART_HEAD_BYTES_MAX: Final = 4 * KIB
FORM_BOUNDARY_CHARS_MAX: Final = 70

# Bodies up to this size rest inside the metadata database, sealed, beside their index row.
INLINE_BYTES_MAX: Final = 64 * KIB

# Tokens of identity providers, and the keys that prove them.
WEB_TOKEN_CHARS_MAX: Final = 20_000
WEB_KEYS_MAX: Final = 100
WEB_KEYS_BYTES_MAX: Final = 256 * KIB
WEB_TOKEN_SKEW_S_MAX: Final = 300

# Requests to others' servers.
OUTBOUND_URL_CHARS_MAX: Final = 2 * KIB
OUTBOUND_HEAD_BYTES_MAX: Final = 16 * KIB
OUTBOUND_ADDRESSES_MAX: Final = 8

# Sessions.
SESSION_S_MIN: Final = 900
SESSION_S_DEFAULT: Final = 43_200
SESSION_TOKEN_S_MAX: Final = 129_600
ROLE_SESSION_S_MAX: Final = 43_200
CHAINED_SESSION_S_MAX: Final = 3600
SESSION_POLICIES_MAX: Final = 10
SESSION_TAGS_MAX: Final = 50
SESSION_TOKEN_CHARS_MAX: Final = 8 * KIB

# The ledger.
LEDGER_POLICY_BYTES_MAX: Final = 64 * KIB
LEDGER_WITNESSES_MAX: Final = 16

# Consents. Of one account, so many requests may be waiting or in use.
CONSENTS_OPEN_MAX: Final = 100
CONSENT_BODY_BYTES_MAX: Final = 512 * KIB

# Pages.
PAGE_ENTRIES_MAX: Final = 1000
DELETE_KEYS_MAX: Final = 1000

# Retention and lifecycle.
RETENTION_DAYS_MAX: Final = 36_500
RETENTION_YEARS_MAX: Final = 100
LIFECYCLE_RULES_MAX: Final = 1000
LIFECYCLE_RULE_ID_CHARS_MAX: Final = 255
LIFECYCLE_DAYS_MAX: Final = 2_147_483_647
LIFECYCLE_VERSIONS_KEPT_MAX: Final = 100

# Time.
CLOCK_SKEW_S_MAX: Final = 15 * 60
PRESIGNED_EXPIRES_S_MAX: Final = 604_800
BODY_IDLE_S_MAX: Final = 60.0
DRAIN_BYTES_MAX: Final = 2 * MIB
DRAIN_S_MAX: Final = 2.0

# Connections to the keybox that have not shown a certificate yet; where there are more, the one that takes longest is cut.
TLS_HANDSHAKES_MAX: Final = 256
