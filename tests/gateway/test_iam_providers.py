"""Identity providers of an account through the SDK."""

from __future__ import annotations

from typing import Any

import pytest

from .people import allow, make_person, new_person
from .service import Service
from .shelf import fails, sdk

THUMBPRINT = "A" * 40


def make_provider(iam: Any, **options: Any) -> tuple[str, str]:
    """Make a provider; return its name and ARN."""
    name = f"{new_person('idp')}.example.org/realms/a"
    made = iam.create_open_id_connect_provider(Url=f"https://{name}", **options)
    return name, made["OpenIDConnectProviderArn"]


def test_a_provider_is_made_shown_changed_and_deleted(service: Service, iam: Any):
    name, arn = make_provider(iam, ClientIDList=["app"], ThumbprintList=[THUMBPRINT], Tags=[{"Key": "team", "Value": "red"}])
    assert arn == f"arn:aws:iam::{service.owner.account_id}:oidc-provider/{name}"
    assert {"Arn": arn} in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    named = {"OpenIDConnectProviderArn": arn}
    for _ in range(2):
        iam.add_client_id_to_open_id_connect_provider(ClientID="other", **named)
        iam.remove_client_id_from_open_id_connect_provider(ClientID="app", **named)
    iam.update_open_id_connect_provider_thumbprint(ThumbprintList=["b" * 40], **named)
    iam.tag_open_id_connect_provider(Tags=[{"Key": "stage", "Value": "x"}], **named)
    iam.untag_open_id_connect_provider(TagKeys=["team"], **named)
    shown = iam.get_open_id_connect_provider(**named)
    assert (shown["Url"], shown["ClientIDList"], shown["ThumbprintList"]) == (name, ["other"], ["b" * 40])
    assert shown["Tags"] == iam.list_open_id_connect_provider_tags(**named)["Tags"] == [{"Key": "stage", "Value": "x"}]
    assert iam.get_account_summary()["SummaryMap"]["Providers"] >= 1
    with fails(409, "EntityAlreadyExists"):
        iam.create_open_id_connect_provider(Url=f"https://{name}")
    iam.delete_open_id_connect_provider(**named)
    for ask in (iam.get_open_id_connect_provider, iam.delete_open_id_connect_provider):
        with fails(404, "NoSuchEntity"):
            ask(**named)


def test_a_provider_belongs_to_its_account_and_to_who_may(service: Service, iam: Any):
    name, arn = make_provider(iam)
    with fails(404, "NoSuchEntity"):
        sdk(service, service.stranger, name="iam").get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    reader = make_person(service, iam, allow("iam:GetOpenIDConnectProvider", arn), allow("iam:CreateOpenIDConnectProvider", arn))
    assert reader.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["Url"] == name
    for refused in (
        lambda: reader.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn),
        lambda: reader.iam.create_open_id_connect_provider(Url=f"https://{new_person()}.example.org"),
        reader.iam.list_open_id_connect_providers,
    ):
        with fails(403, "AccessDenied"):
            refused()
    with fails(409, "EntityAlreadyExists"):
        reader.iam.create_open_id_connect_provider(Url=f"https://{name}")


def test_only_so_many_audiences(iam: Any):
    with fails(400, "ValidationError"):
        make_provider(iam, ClientIDList=[f"app-{number}" for number in range(101)])
    _, arn = make_provider(iam, ClientIDList=[f"app-{number}" for number in range(100)])
    with fails(409, "LimitExceeded"):
        iam.add_client_id_to_open_id_connect_provider(ClientID="more", OpenIDConnectProviderArn=arn)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1",
        "https://127.0.0.1:9002/-/live",
        "https://169.254.169.254/latest",
        "https://10.0.0.1",
        "https://192.168.1.1/a",
        "https://0177.0.0.1",
        "https://2130706433",
        "https://0x7f000001",
        "https://127.1",
        "http://8.8.8.8",
        "http://idp.example.org",
    ],
)
def test_t91_rustfs_ghsa_m479_a_provider_at_an_address_that_is_not_public_is_refused(strict_service: Service, url: str):
    strict = sdk(strict_service, name="iam")
    with fails(400, "InvalidInput"):
        strict.create_open_id_connect_provider(Url=url)
    assert strict.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://idp.example.org",
        "https://user@idp.example.org",
        "https://idp.example.org?a=b",
        "https://[::1]/",
        "idp.example.org",
        "",
    ],
)
def test_what_is_no_url_of_an_issuer_is_refused(iam: Any, url: str):
    with fails(400, "ValidationError"):
        iam.create_open_id_connect_provider(Url=url)
