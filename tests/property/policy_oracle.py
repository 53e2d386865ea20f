"""A second evaluator of policies: slow, simple, written from the AWS documentation alone.

It knows nothing of the service's own code: it takes plain dictionaries and the policies' JSON texts. Where AWS leaves a doubt,
both evaluators decide for the owner: what a negated element cannot tell counts against the request.

A caller is a dictionary of kind, account, id, arn, name, role_arn, tags, is_temporary, issued_at, provider, identity, boundary
and session; a side one of owner, kind, policy, bindings and restrict_public.
"""

import base64
import binascii
import json
import re
import socket
from datetime import UTC, datetime
from fractions import Fraction
from functools import lru_cache

NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}
DATES = ("%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z")
ORDER = {
    "Equals": lambda given, wanted: given == wanted,
    "LessThan": lambda given, wanted: given < wanted,
    "LessThanEquals": lambda given, wanted: given <= wanted,
    "GreaterThan": lambda given, wanted: given > wanted,
    "GreaterThanEquals": lambda given, wanted: given >= wanted,
}
RECOVERY = {"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"}
NARROWING = {
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:userid",
    "aws:sourcearn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceaccount",
    "aws:sourceowner",
}


def decide(caller, action, resource, keys, side):
    """Return allowed, explicitDeny or implicitDeny."""
    context = context_of(caller, keys, side["owner"])
    owned = caller["kind"] != "anonymous" and caller["account"] == side["owner"]
    bucket = statements([side["policy"]] if side["policy"] else [])

    def says(effect, texts):
        return any(one["Effect"] == effect and speaks(one, action, resource, context) for one in statements(texts))

    limits = [texts for texts in ([caller["boundary"]] if caller["boundary"] else [], caller["session"]) if texts]
    if any(says("Deny", texts) for texts in [caller["identity"], *limits]):
        return "explicitDeny"
    recovering = caller["kind"] == "root" and owned and action in RECOVERY
    for one in bucket:
        if one["Effect"] == "Deny" and not recovering and closeness(one, caller, side) and speaks(one, action, resource, context):
            return "explicitDeny"

    grants = {
        closeness(one, caller, side) for one in bucket if one["Effect"] == "Allow" and speaks(one, action, resource, context)
    } - {None}
    if side["restrict_public"] and not owned and side["policy"] and is_public(side["policy"]):
        grants = set()
    within_limits = all(says("Allow", texts) for texts in limits)
    of_itself = (caller["kind"] == "root" or says("Allow", caller["identity"])) and within_limits

    if caller["kind"] == "anonymous":
        allowed = bool(grants)
    elif not owned:
        allowed = bool(grants) and of_itself
    elif "itself" in grants:
        allowed = True
    elif "role" in grants:
        allowed = within_limits
    elif side["kind"] in {"TRUST", "KEY"}:
        allowed = "account" in grants and of_itself
    else:
        allowed = of_itself
    return "allowed" if allowed else "implicitDeny"


@lru_cache(maxsize=4096)
def read(text):
    return json.loads(text, parse_int=str, parse_float=str)


def listed(value):
    values = value if isinstance(value, list) else [value]
    return [{True: "true", False: "false"}[one] if isinstance(one, bool) else one for one in values]


def statements(texts):
    """Return all statements, each with its document's version."""
    documents = [read(text) for text in texts]
    return [{**one, "Version": document.get("Version")} for document in documents for one in listed(document["Statement"])]


def context_of(caller, keys, owner):
    """Return all condition keys of a request: what the principal is overrules what the request says."""
    context = dict(keys)
    signed = caller["kind"] != "anonymous"
    kinds = {"anonymous": "Anonymous", "root": "Account", "user": "User", "role": "AssumedRole"}
    principal = {
        "aws:principaltype": kinds[caller["kind"]],
        "aws:principalarn": (caller["role_arn"] or caller["arn"]) if signed else None,
        "aws:principalaccount": caller["account"] if signed else None,
        "aws:principalisawsservice": "false" if signed else None,
        "aws:viaawsservice": "false" if signed else None,
        "aws:userid": caller["id"] if signed else "anonymous",
        "aws:username": caller["name"] if caller["kind"] == "user" else None,
        "aws:multifactorauthpresent": "false" if caller["is_temporary"] else None,
        "aws:tokenissuetime": caller["issued_at"],
        "aws:federatedprovider": caller["provider"],
        "aws:resourceaccount": owner or None,
        "s3:resourceaccount": owner or None,
        "aws:principalorgid": None,
    }
    for key in [key for key in context if key in principal or key.startswith("aws:principaltag/")]:
        del context[key]
    context |= {key: [value] for key, value in principal.items() if value is not None}
    for name, value in caller["tags"].items():
        context.setdefault(f"aws:principaltag/{name.lower()}", []).append(value)
    return context


# What a statement speaks of.


def speaks(one, action, resource, context):
    named = any(wildcard(text.lower(), action.lower()) for text in listed(one.get("Action", one.get("NotAction"))))
    if named == ("NotAction" in one):
        return False
    if "Resource" in one and not any(arn_like(text, resource, one, context) for text in listed(one["Resource"])):
        return False
    if "NotResource" in one:
        results = [arn_like(text, resource, one, context) for text in listed(one["NotResource"])]
        if True in results or (None in results and one["Effect"] == "Allow"):
            return False
    return all(
        holds(operator, key, listed(values), one, context)
        for operator, tests in one.get("Condition", {}).items()
        for key, values in tests.items()
    )


@lru_cache(maxsize=4096)
def wildcard(pattern, text):
    marks = {"*": ".*", "?": "."}
    return re.fullmatch("".join(marks.get(char, re.escape(char)) for char in pattern), text, re.DOTALL) is not None


@lru_cache(maxsize=4096)
def fixed(text, *, wild):
    marks = {"*": ".*", "?": "."} if wild else {}
    return "".join(marks.get(char, re.escape(char)) for char in text)


def filled(text, one, context, *, wild):
    """Return the regular expression that a text with variables means; None if a variable has no value."""
    if "${" not in text:
        return fixed(text, wild=wild)
    result = ""
    while text:
        variable = re.match(r"\$\{([^}]*)\}", text) if one["Version"] == "2012-10-17" else None
        if variable is None:
            result += fixed(text[0], wild=wild)
            text = text[1:]
            continue
        text = text[variable.end() :]
        inside = variable[1]
        if inside in {"*", "?", "$"}:
            result += re.escape(inside)
            continue
        name, comma, default = inside.partition(",")
        values = context.get(name.strip().lower()) or ([default.strip().strip("'")] if comma else [])
        if len(values) != 1:
            return None
        result += re.escape(values[0])
    return result


def arn_like(pattern, arn, one, context):
    if pattern == "*":
        return True
    parts = parts_of(pattern, one["Version"])
    given = arn.split(":", 5)
    if len(given) != 6:
        return False
    expressions = [filled(part, one, context, wild=True) for part in parts]
    known = [(expression, part) for expression, part in zip(expressions, given, strict=True) if expression is not None]
    if not all(re.fullmatch(expression, part, re.DOTALL) for expression, part in known):
        return False
    return None if None in expressions else True


@lru_cache(maxsize=4096)
def parts_of(pattern, version):
    """Return the six parts of an ARN's pattern; colons inside a variable's braces part nothing."""
    parts, braces = [""], False
    for at, char in enumerate(pattern):
        braces = (braces or (char == "{" and pattern[at - 1] == "$" and version == "2012-10-17")) and char != "}"
        if char == ":" and not braces and len(parts) < 6:
            parts.append("")
        else:
            parts[-1] += char
    return parts


# Conditions.


def holds(operator, key, wanted, one, context):
    given = context.get(key.lower()) or []
    has_content = any(value != "" for value in given)
    if operator == "Null":
        return any((text.lower() == "true") == (not has_content) for text in wanted)
    quantifier, _, name = operator.rpartition(":")
    if name.endswith("IfExists"):
        name = name[: -len("IfExists")]
        if not given:
            return True
    negated = name in NEGATED
    positive = NEGATED.get(name, name)

    def passes(value):
        results = [matches(positive, value, text, one, context) for text in wanted]
        if not negated:
            return True in results
        return True not in results and (None not in results or one["Effect"] == "Deny")

    if quantifier == "ForAllValues":
        return not has_content or all(passes(value) for value in given)
    if quantifier == "ForAnyValue":
        return has_content and any(passes(value) for value in given)
    if not given:
        return negated
    return all(passes(value) for value in given) if negated else any(passes(value) for value in given)


def matches(operator, value, text, one, context):
    """Compare one value of the request with one of the policy; None if it cannot be told."""
    if operator.startswith("Arn"):
        return arn_like(text, value, one, context)
    if operator.startswith("String"):
        expression = filled(text, one, context, wild=operator == "StringLike")
        flags = re.DOTALL | (re.IGNORECASE if operator == "StringEqualsIgnoreCase" else 0)
        return None if expression is None else re.fullmatch(expression, value, flags) is not None
    if operator == "IpAddress":
        return within(value, text)
    if operator == "Bool":
        read, text = truth, filled(text, one, context, wild=False) or ""
    elif operator == "BinaryEquals":
        read = octets
    else:
        read = seconds if operator.startswith("Date") else numeric
    order = ORDER["Equals" if operator == "Bool" else re.sub("Date|Numeric|Binary", "", operator)]
    return None if read(value) is None or read(text) is None else order(read(value), read(text))


def within(value, text):
    base, _, length = text.partition("/")
    address, network = bits(value), bits(base)
    if address is None:
        return None
    mapped = 96 if "::ffff:" in base and "." in base else 0
    size = int(length) - mapped if length else len(network)
    return len(network) == len(address) and network[:size] == address[:size]


def truth(text):
    return text.lower() if text.lower() in {"true", "false"} else None


def octets(text):
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


@lru_cache(maxsize=4096)
def numeric(text):
    return Fraction(text) if re.fullmatch(r"[+-]?\d+(\.\d+)?", text, re.ASCII) else None


@lru_cache(maxsize=4096)
def seconds(text):
    for form in DATES:
        try:
            moment = datetime.strptime(text, form)  # noqa: DTZ007 - the next line gives those without zone one
        except ValueError:
            continue
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // datetime.resolution * Fraction(1, 10**6)
    return numeric(text)


@lru_cache(maxsize=4096)
def bits(text):
    """Return an address as a text of zeros and ones, 32 or 128 long."""
    try:
        packed = socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except OSError:
        return None
    if packed[:12] == bytes(10) + b"\xff\xff":
        packed = packed[12:]
    return "".join(f"{byte:08b}" for byte in packed)


# Principals.


def closeness(one, caller, side):
    """Return None, account, role or itself: how closely a statement of a resource's policy names a caller."""
    web_identity = caller["kind"] == "anonymous" and caller["provider"] is not None
    if one["Effect"] == "Allow" and caller["kind"] == "anonymous" and side["kind"] != "BUCKET":
        federated = listed(one["Principal"].get("Federated", [])) if isinstance(one.get("Principal"), dict) else []
        return "itself" if caller["provider"] in federated else None
    if "Principal" in one:
        found = [named(name, kind, caller, side, web_identity) for kind, name in names(one["Principal"])]
        return max(found, key=[None, "account", "role", "itself"].index, default=None)
    spared = [identity(name, kind, caller, side, web_identity) for kind, name in names(one["NotPrincipal"])]
    spared = {part for parts in spared for part in parts}
    if one["Effect"] == "Allow":
        return None if spared else "itself"
    parts = {"root": {"account"}, "user": {"account", "itself"}, "role": {"account", "role", "itself"}, "anonymous": {"itself"}}
    return None if spared >= parts[caller["kind"]] else "itself"


def names(element):
    if element == "*":
        return [("AWS", "*")]
    return [(kind, name) for kind, entry in element.items() for name in listed(entry)]


def named(name, kind, caller, side, web_identity):
    found = identity(name, kind, caller, side, web_identity)
    if "itself" in found or (found == {"account"} and caller["kind"] == "root"):
        return "itself"
    return "role" if "role" in found else "account" if "account" in found else None


def identity(name, kind, caller, side, web_identity):
    """Return which parts of what a caller is one name covers: its account, its role, itself."""
    if kind == "Federated":
        return {"itself"} if web_identity and caller["provider"] == name else set()
    if kind != "AWS":
        # A canonical user stands for its account; services are nobody here.
        return {"account"} if kind == "CanonicalUser" and side["bindings"].get(name) == caller["account"] else set()
    if name == "*":
        return {"account", "role", "itself"}
    found = set()
    if caller["account"] and name in {caller["account"], f"arn:aws:iam::{caller['account']}:root"}:
        found.add("account")
    bound = side["bindings"].get(name, name)
    if ":assumed-role/" in name:
        bound += ":" + name.rpartition("/")[2]
    if caller["kind"] in {"user", "role"} and bound == caller["id"]:
        found.add("itself")
    if caller["kind"] == "role" and bound == caller["id"].split(":")[0]:
        found.add("role")
    return found


# Public or not.


def is_public(text):
    return any(gives_to_public(one) for one in statements([text]))


def gives_to_public(one):
    if one["Effect"] == "Deny":
        return False
    if "Principal" in one and not any(name == "*" or kind == "Federated" for kind, name in names(one["Principal"])):
        return False
    for operator, tests in one.get("Condition", {}).items():
        name = operator.removeprefix("ForAnyValue:")
        for key, values in tests.items():
            fixed = not any(mark in text for text in listed(values) for mark in ("*", "?", "${"))
            if name in {"StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike"}:
                if key.lower() in NARROWING and fixed:
                    return False
            elif name == "IpAddress" and key.lower() == "aws:sourceip" and all(is_narrow(text) for text in listed(values)):
                return False
    return True


def is_narrow(text):
    address, _, length = text.partition("/")
    mapped = "::ffff:" in address and "." in address
    if mapped:
        return not length or int(length) >= 96 + 8
    return not length or int(length) >= (32 if ":" in address else 8)
