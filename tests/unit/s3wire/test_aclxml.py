import pytest

from siegel.domain.errors import AccessControlListNotSupportedError, MalformedXMLError
from siegel.s3wire.aclxml import check_acl, render_acl

from .xmlbodies import ACCOUNT, GRANT, written_by_botocore

OWNER = {"ID": ACCOUNT, "DisplayName": "any"}
FULL = {"Grantee": {"Type": "CanonicalUser", "ID": ACCOUNT}, "Permission": "FULL_CONTROL"}
GROUP = {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}


def policy(owner, *grants):
    return written_by_botocore("PutBucketAcl", AccessControlPolicy={"Owner": owner, "Grants": list(grants)})


def listed(inside):
    return f"<AccessControlPolicy><AccessControlList>{inside}</AccessControlList></AccessControlPolicy>".encode()


def test_the_owners_own_list_is_accepted():
    check_acl(policy(OWNER, FULL), ACCOUNT)
    check_acl(policy({}, FULL, FULL), ACCOUNT)
    check_acl(render_acl(ACCOUNT), ACCOUNT)


@pytest.mark.parametrize(
    ("owner", "grants"),
    [
        ({"ID": "444455556666"}, [FULL]),
        (OWNER, []),
        (OWNER, [FULL, {"Grantee": GROUP, "Permission": "READ"}]),
        (OWNER, [FULL | {"Permission": "READ"}]),
        (OWNER, [FULL, {"Grantee": {"Type": "CanonicalUser", "ID": "4"}, "Permission": "READ"}]),
        (OWNER, [FULL, {"Grantee": {"Type": "AmazonCustomerByEmail", "EmailAddress": "a@b.c"}, "Permission": "READ"}]),
        (OWNER, [FULL, {"Grantee": GROUP | {"ID": ACCOUNT}, "Permission": "FULL_CONTROL"}]),
    ],
)
def test_t35_every_other_list_is_refused(owner, grants):
    with pytest.raises(AccessControlListNotSupportedError):
        check_acl(policy(owner, *grants), ACCOUNT)


@pytest.mark.parametrize(
    "body",
    [
        b"<AccessControlPolicy/>",
        f"<AccessControlPolicy><Owner/><Owner/><AccessControlList>{GRANT}</AccessControlList></AccessControlPolicy>".encode(),
        b"<AccessControlPolicy><AccessControlList/><AccessControlList/></AccessControlPolicy>",
        listed("<Grant/>"),
        listed(GRANT.replace("FULL_CONTROL", "ALL")),
        listed(GRANT.replace("CanonicalUser", "Somebody")),
        listed(GRANT.replace("<Permission>", "<Permission>READ</Permission><Permission>")),
        listed(GRANT.replace("<Permission>FULL_CONTROL</Permission>", "")),
        listed(GRANT.replace("<ID>", "<Unknown/><ID>")),
        listed(GRANT.replace("<Grantee ", "<Grantee other='1' ")),
    ],
)
def test_t69_what_is_no_list_is_refused(body):
    with pytest.raises(MalformedXMLError):
        check_acl(body, ACCOUNT)
