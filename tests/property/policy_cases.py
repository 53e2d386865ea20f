"""Random policies and requests, drawn from few names so that they often meet; and both evaluators' answers to them.

A scene is a set of policies; several requests are made in each. The same seed makes the same scenes.
"""

import base64
import json
import random
from collections import Counter

from siegel.access.caller import Caller, CallerKind, Rights
from siegel.access.conditions import NULL, OPERATORS
from siegel.access.evaluation import Asked, ResourceSide, evaluate
from siegel.access.policy import PolicyKind, is_public, parse_policy
from tests.property import policy_oracle

OWNER, OTHER = "111122223333", "444455556666"
USERS = {"alice": "AIDAALICE00000000001", "bob": "AIDABOB0000000000001"}
ROLES = {"reader": "AROAREADER0000000001", "writer": "AROAWRITER0000000001"}
CANONICAL = "0123456789abcdef" * 4
PROVIDER = f"arn:aws:iam::{OWNER}:oidc-provider/id.example"
REQUESTS_PER_SCENE = 20

ACTIONS = {
    "BUCKET": ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:GetBucketPolicy", "s3:GetObjectVersion"],
    "TRUST": ["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:TagSession"],
    "KEY": ["kms:Decrypt", "kms:GenerateDataKey"],
}
ACTION_PATTERNS = {
    "BUCKET": [
        "*",
        "*:*",
        "s3:*",
        "s3:GetObject",
        "S3:GETOBJECT",
        "s3:Get*",
        "s3:?etObject",
        "s3:*Object*",
        "s3:G*t*y",
        "s3:PutObject",
    ],
    "TRUST": ["sts:*", "sts:AssumeRole", "sts:assumerole", "sts:AssumeRole*", "sts:TagSession"],
    "KEY": ["*", "kms:*", "kms:Decrypt", "KMS:decrypt", "kms:Generate*"],
}
PHOTOS = "arn:aws:s3:::photos"
RESOURCES = {
    "BUCKET": [
        PHOTOS,
        f"{PHOTOS}/a",
        f"{PHOTOS}/desk/alice/x",
        f"{PHOTOS}/desk/*/x",
        f"{PHOTOS}/a:b\n${{c}}",
        "arn:aws:s3:::other/a",
        "*",
    ],
    "TRUST": [f"arn:aws:iam::{OWNER}:role/reader"],
    "KEY": [f"arn:aws:kms:eu-central-1:{OWNER}:key/k1", f"arn:aws:kms:eu-central-1:{OWNER}:key/k2"],
}
RESOURCE_PATTERNS = {
    "BUCKET": [
        *(
            "*",
            f"{PHOTOS}/*",
            PHOTOS,
            "arn:aws:s3:::*",
            "arn:aws:s3:::ph?tos/*",
            f"{PHOTOS}/desk/*/x",
            f"{PHOTOS}/*a*",
            "arn:*:s3:*:*:photos/a",
        ),
        *(
            f"{PHOTOS}/desk/${{aws:username}}/*",
            f"{PHOTOS}/desk/${{aws:PrincipalTag/team, 'alice'}}/?",
            f"{PHOTOS}/desk/${{*}}/x",
        ),
        *(
            f"{PHOTOS}/a:b*${{$}}{{c}}",
            f"{PHOTOS}/${{s3:prefix}}",
            "arn:aws:s3::${aws:PrincipalAccount}:x",
            f"{PHOTOS}/desk/${{?}}/x",
        ),
    ],
    "TRUST": ["*", "arn:aws:iam::*:role/*", f"arn:aws:iam::{OWNER}:role/reader", "arn:aws:iam::${aws:ResourceAccount}:role/rea*"],
    "KEY": ["*", f"arn:aws:kms:*:{OWNER}:key/*", f"arn:aws:kms:eu-central-1:{OWNER}:key/k1"],
}
IPS = ["10.1.2.3", "::ffff:10.1.2.3", "203.0.113.9", "2001:db8::1", "nowhere", "10.1.2.300"]
NETWORKS = [
    "10.0.0.0/8",
    "10.1.2.3",
    "10.1.2.3/31",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::/32",
    "2001:db8::/31",
    "::ffff:10.0.0.0/104",
    "0.0.0.0/1",
]
DATES = [
    "2026-01-01",
    "2026",
    "2026-01-01T00:00:00Z",
    "2026-01-01T02:00+02:00",
    "2026-01-01T00:00:00.5Z",
    "1767225600",
    "1767225600.5",
    "2025-12",
]
TEXTS = ["", "a", "A", "alice", "a*", "desk/alice", "true", "${aws:username}", "b"]
PATTERNS = [
    "",
    "a",
    "*",
    "a*",
    "?",
    "desk/*",
    "${aws:username}",
    "${*}",
    "d*${aws:PrincipalTag/team, 'b'}",
    "a${$}",
    "${s3:prefix}",
    "*a*i*",
]
NUMBERS = ["0", "1", "10", "10.0", "-3.5", "+1"]
ARNS = [
    "arn:aws:s3:::photos",
    f"arn:aws:iam::{OWNER}:role/reader",
    "arn:aws:sns:eu:1:a:b",
    "not-an-arn",
    "arn:aws:iam::1:user/a/b",
]
ARN_PATTERNS = [
    "*",
    "arn:aws:s3:::ph*",
    "arn:*:*:*:*:*",
    f"arn:aws:iam::{OWNER}:role/*",
    "arn:aws:sns:*:?:a:?",
    "arn:aws:iam::1:user/${aws:username}",
]
BYTES = [base64.b64encode(value).decode() for value in (b"", b"a", b"seal")]
KEYS = {
    "String": [
        "s3:prefix",
        "S3:Prefix",
        "aws:TagKeys",
        "aws:PrincipalTag/team",
        "aws:username",
        "aws:userid",
        "aws:SourceVpc",
        "s3:versionid",
    ],
    "Numeric": ["s3:max-keys", "aws:TagKeys"],
    "Date": ["aws:CurrentTime", "aws:TokenIssueTime"],
    "Bool": ["aws:SecureTransport", "aws:MultiFactorAuthPresent", "aws:PrincipalIsAWSService"],
    "Binary": ["s3:x-amz-content-sha256"],
    "IpAddress": ["aws:SourceIp"],
    "Arn": ["aws:SourceArn", "aws:PrincipalArn"],
}
ALL_KEYS = [key for keys in KEYS.values() for key in keys]
VALUES = {
    "String": PATTERNS,
    "Numeric": NUMBERS,
    "Date": DATES,
    "Bool": ["true", "false", True, False, "TRUE"],
    "Binary": BYTES,
    "IpAddress": NETWORKS,
    "Arn": ARN_PATTERNS,
}
GIVEN = {
    "s3:prefix": TEXTS,
    "aws:tagkeys": [*TEXTS, *NUMBERS],
    "aws:sourcevpc": ["vpc-1", "vpc-2"],
    "s3:versionid": TEXTS,
    "s3:max-keys": [*NUMBERS, "many"],
    "aws:currenttime": [*DATES, "now"],
    "aws:securetransport": ["true", "false", "TRUE", "maybe"],
    "s3:x-amz-content-sha256": [*BYTES, "?"],
    "aws:sourceip": IPS,
    "aws:sourcearn": ARNS,
    # What a request must not be able to say.
    "aws:username": ["alice"],
    "aws:principaltag/team": ["alice"],
    "aws:principalarn": ARNS,
}


class Scene:
    """Policies of one resource and of its callers, with both evaluators' view of them."""

    def __init__(self, choice, seen):
        self.choice = choice
        self.seen = seen
        self.kind = choice.choices(["BUCKET", "TRUST", "KEY"], [8, 1, 1])[0]
        self.bindings = self._bindings()
        text = self._document(self.kind) if choice.random() < 0.75 else None
        restrict = choice.random() < 0.3
        self.side = {"owner": OWNER, "kind": self.kind, "policy": text, "bindings": self.bindings, "restrict_public": restrict}
        kind = PolicyKind[self.kind]
        self.policy = None if text is None else parse_policy(text, kind, bindings=self.bindings)
        self.resource = ResourceSide(OWNER, self.policy, restrict_public=restrict, kind=kind)
        self.callers = [self._caller() for _ in range(4)]

    # Callers.

    def _bindings(self):
        bindings = {CANONICAL: OTHER} if self.choice.random() < 0.5 else {}
        for account in (OWNER, OTHER):
            for names, path in ((USERS, "user/staff"), (ROLES, "role")):
                for name, unique in names.items():
                    fate = self.choice.random()
                    if fate < 0.85:
                        bindings[f"arn:aws:iam::{account}:{path}/{name}"] = unique if fate < 0.75 else unique[:-1] + "9"
        for arn, unique in list(bindings.items()):
            if ":role/" in arn:
                session = arn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/job-1"
                bindings[session] = unique
        return bindings

    def _caller(self):
        choice = self.choice
        kind = choice.choices(["anonymous", "root", "user", "role"], [2, 2, 4, 4])[0]
        account = choice.choices([OWNER, OTHER], [3, 1])[0] if kind != "anonymous" else ""
        caller = {
            "kind": kind,
            "account": account,
            "id": account,
            "arn": f"arn:aws:iam::{account}:root",
            "name": "",
            "role_arn": "",
        }
        if kind == "anonymous":
            caller["arn"] = "anonymous"
        elif kind == "user":
            name = choice.choice(list(USERS))
            caller |= {"id": USERS[name], "arn": f"arn:aws:iam::{account}:user/staff/{name}", "name": name}
        elif kind == "role":
            name, session = choice.choice(list(ROLES)), choice.choice(["job-1", "job-2"])
            caller |= {"id": f"{ROLES[name]}:{session}", "role_arn": f"arn:aws:iam::{account}:role/{name}"}
            caller["arn"] = f"arn:aws:sts::{account}:assumed-role/{name}/{session}"
        temporary = kind == "role" or (kind == "user" and choice.random() < 0.3)
        caller["is_temporary"] = temporary
        caller["issued_at"] = "2026-01-01T00:00:00Z" if temporary else None
        caller["provider"] = PROVIDER if kind == "anonymous" and self.kind == "TRUST" and choice.random() < 0.7 else None
        caller["tags"] = choice.choice([{}, {"team": "alice"}, {"Team": "b"}, {"team": "a*", "TEAM": "b"}])
        has = {"root": 0.2, "user": 0.8, "role": 0.8, "anonymous": 0}[kind]
        caller["identity"] = [self._document("IDENTITY") for _ in range(choice.randint(0, 3)) if choice.random() < has]
        caller["boundary"] = self._document("BOUNDARY") if kind in {"user", "role"} and choice.random() < 0.25 else None
        caller["session"] = (
            [self._document("SESSION") for _ in range(choice.randint(1, 2))] if temporary and choice.random() < 0.3 else []
        )
        self.seen.update([f"caller {kind}", *(f"has {part}" for part in ("boundary", "session") if caller[part])])
        return caller, self._compiled(caller)

    def _compiled(self, caller):
        def parsed(texts, kind):
            return [(f"p{number}", parse_policy(text, kind)) for number, text in enumerate(texts)]

        boundary = parsed([caller["boundary"]] if caller["boundary"] else [], PolicyKind.BOUNDARY)
        return Caller(
            kind=CallerKind(caller["kind"]),
            account_id=caller["account"],
            arn=caller["arn"],
            principal_id=caller["id"],
            name=caller["name"],
            role_arn=caller["role_arn"],
            tags=caller["tags"],
            is_temporary=caller["is_temporary"],
            issued_at_ms=1_767_225_600_000 if caller["issued_at"] else None,
            federated_provider=caller["provider"],
            rights=Rights.of(
                parsed(caller["identity"], PolicyKind.IDENTITY),
                boundary[0] if boundary else None,
                parsed(caller["session"], PolicyKind.SESSION),
            ),
        )

    # Documents.

    def _document(self, kind):
        version = self.choice.choices([{"Version": "2012-10-17"}, {"Version": "2008-10-17"}, {}], [18, 1, 1])[0]
        self.has_variables = version.get("Version") == "2012-10-17"
        statements = [self._statement(kind) for _ in range(self.choice.choices([1, 2, 3], [5, 3, 2])[0])]
        return json.dumps(
            {**version, "Statement": statements if len(statements) > 1 or self.choice.random() < 0.5 else statements[0]}
        )

    def _some(self, values):
        return self.choice.choice(values) if self.choice.random() < 0.5 else self.choice.sample(values, self.choice.randint(1, 3))

    def _statement(self, kind):
        choice = self.choice
        written = {"Effect": choice.choices(["Allow", "Deny"], [3, 1])[0]}
        written["Action" if choice.random() < 0.9 else "NotAction"] = self._some(ACTION_PATTERNS[self.kind])
        if kind != "TRUST":
            written["Resource" if choice.random() < 0.85 else "NotResource"] = self._some(RESOURCE_PATTERNS[self.kind])
        if kind in {"BUCKET", "TRUST", "KEY"}:
            written["Principal" if choice.random() < 0.85 else "NotPrincipal"] = self._principal()
        if choice.random() < 0.45:
            written["Condition"] = self._conditions(kind)
        self.seen.update(f"{kind} {name}" for name in written)
        return written

    def _principal(self):
        choice = self.choice
        if choice.random() < 0.2:
            return "*"
        account = choice.choices([OWNER, OTHER], [3, 1])[0]
        named = [
            *("*", account, f"arn:aws:iam::{account}:root", *USERS.values(), *ROLES.values()),
            *(f"arn:aws:iam::{account}:user/staff/{name}" for name in USERS),
            *(f"arn:aws:iam::{account}:role/{name}" for name in ROLES),
            *(f"arn:aws:sts::{account}:assumed-role/{name}/job-1" for name in ROLES),
        ]
        if choice.random() < 0.8:
            return {"AWS": choice.sample(named[1:], choice.randint(1, 5)) if choice.random() < 0.9 else choice.choice(named)}
        return choice.choice(
            [{"Federated": PROVIDER}, {"Service": "logging.s3.amazonaws.com"}, {"CanonicalUser": [CANONICAL]}, {"AWS": ["*"]}]
        )

    def _conditions(self, kind):
        tests = {}
        for _ in range(self.choice.choices([1, 2], [4, 1])[0]):
            name = self.choice.choice([*OPERATORS, NULL])
            family = next((family for family in KEYS if family in name), "String")
            keys, values = KEYS[family], VALUES[family]
            if name == NULL:
                keys, values = ALL_KEYS, ["true", "false", True]
            if kind == "KEY":
                # It knows no conditions of S3.
                keys = [key for key in keys if not key.lower().startswith("s3:")] or ["aws:SourceVpc"]
            key = self.choice.choice(keys)
            if family == "String" and name != NULL and key == "aws:SourceVpc":
                values = ["vpc-1", "vpc-*", "vpc-2"]
            if family == "Bool" and self.has_variables:
                values = [*values, "${aws:PrincipalIsAWSService}"]
            if name != NULL:
                prefix = self.choice.choices(["", "ForAllValues:", "ForAnyValue:"], [3, 1, 1])[0]
                written = f"{prefix}{name}{'IfExists' if self.choice.random() < 0.25 else ''}"
            else:
                written = name
            tests.setdefault(written, {})[key] = self._some(values)
            self.seen[f"operator {name}"] += 1
        return tests

    # Requests.

    def request(self):
        choice = self.choice
        keys = {}
        for key, values in GIVEN.items():
            if choice.random() < 0.6:
                keys[key] = (
                    choice.sample(values, choice.randint(0, min(3, len(values))))
                    if key == "aws:tagkeys"
                    else [choice.choice(values)]
                )
        return choice.choice(self.callers), choice.choice(ACTIONS[self.kind]), choice.choice(RESOURCES[self.kind]), keys


class GivenKeys:
    def __init__(self, keys):
        self.keys = keys

    def get(self, name, /):
        values = self.keys.get(name)
        return None if values is None else tuple(values)


def compare(seed, pairs, seen=None, enough=10):
    """Ask both evaluators about `pairs` requests; return what they disagree on, and stop once that is `enough`."""
    choice = random.Random(seed)
    seen = Counter() if seen is None else seen
    differences = []
    done = 0
    while done < pairs and len(differences) < enough:
        scene = Scene(choice, seen)
        if scene.policy is not None and is_public(scene.policy) is not policy_oracle.is_public(scene.side["policy"]):
            differences.append(f"seed {seed}: is it public? {scene.side['policy']}")
        for _ in range(min(REQUESTS_PER_SCENE, pairs - done)):
            done += 1
            (plain, caller), action, resource, keys = scene.request()
            expected = policy_oracle.decide(plain, action, resource, keys, scene.side)
            asked = Asked(action, resource, GivenKeys(keys))
            found = evaluate(caller, asked, scene.resource).decision.value
            seen[found] += 1
            if plain["account"] == OTHER:
                seen["cross-account"] += 1
            if scene.resource.restrict_public and scene.policy is not None and scene.policy.is_public:
                seen["public restricted"] += 1
            if found != expected:
                differences.append(
                    f"seed {seed}: {expected} expected, {found} found: {action} {resource} {keys} {plain} {scene.side}"
                )
    return differences
