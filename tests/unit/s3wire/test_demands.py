import pytest

from siegel.s3wire.demands import action_of, further_actions
from siegel.s3wire.route import ROUTES
from siegel.s3wire.routes.browsers import FORM_ROUTE

BY_NAME = {route.operation: route for route in (*ROUTES, FORM_ROUTE)}


@pytest.mark.parametrize(
    ("operation", "has_version", "action"),
    [
        ("GetObject", False, "s3:GetObject"),
        ("GetObject", True, "s3:GetObjectVersion"),
        ("PutObject", True, "s3:PutObject"),
        ("ListObjectsV2", False, "s3:ListBucket"),
    ],
)
def test_t26_rustfs_ghsa_3ppv_a_version_has_an_action_of_its_own(operation, has_version, action):
    assert action_of(BY_NAME[operation], has_version=has_version) == action


@pytest.mark.parametrize(
    ("operation", "headers", "actions"),
    [
        ("PutObject", {}, ()),
        ("PutObject", {"x-amz-tagging": ""}, ("s3:PutObjectTagging",)),
        ("CopyObject", {"x-amz-acl": "private"}, ("s3:PutObjectAcl",)),
        (
            "CreateMultipartUpload",
            {"x-amz-object-lock-mode": "", "x-amz-object-lock-retain-until-date": "", "x-amz-object-lock-legal-hold": ""},
            ("s3:PutObjectRetention", "s3:PutObjectLegalHold"),
        ),
        ("GetObject", {"x-amz-tagging": ""}, ()),
        ("DeleteObject", {}, ()),
        ("DeleteObject", {"if-match": "*"}, ()),
        ("DeleteObject", {"if-match": '"0"'}, ("s3:GetObject",)),
        ("PutObject", {"if-match": "*"}, ()),
        ("PutObject", {"if-match": '"0"'}, ("s3:GetObject",)),
        ("PutObject", {"if-match": '"0"', "x-amz-tagging": ""}, ("s3:PutObjectTagging", "s3:GetObject")),
        ("CopyObject", {"if-match": "0"}, ("s3:GetObject",)),
        ("PostObject", {"if-match": "0"}, ("s3:GetObject",)),
        ("CompleteMultipartUpload", {"if-match": '"0", "1"'}, ("s3:GetObject",)),
        ("CreateMultipartUpload", {"if-match": "0"}, ()),
        ("UploadPart", {"if-match": "0"}, ()),
        ("CreateBucket", {"x-amz-bucket-object-lock-enabled": "true"}, ("s3:PutBucketObjectLockConfiguration",)),
    ],
)
def test_what_a_request_sets_beside_its_object_needs_a_right_of_its_own(operation, headers, actions):
    assert further_actions(BY_NAME[operation], headers, has_version=False) == actions


def test_attributes_need_the_right_to_read_as_well():
    route = BY_NAME["GetObjectAttributes"]
    assert further_actions(route, {}, has_version=False) == ("s3:GetObject",)
    assert further_actions(route, {}, has_version=True) == ("s3:GetObjectVersion",)
