"""TLS, and clients that must show a certificate of their own."""

import ssl

import pytest

from tests.gateway.certificates import make_certificates
from tests.keybox.box import Box, Serving, keybox

HEALTH = {"requestMetadata": {"kmsOperation": "KmsHealthCheck", "kmsRequestId": "r"}}


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    """Two authorities, each with one certificate."""
    return [make_certificates(tmp_path_factory.mktemp(name)) for name in ("ours", "theirs")]


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    return Box(tmp_path_factory.mktemp("tls") / "box")


def trusting(authority, *shown):
    context = ssl.create_default_context(cafile=authority)
    if shown:
        context.load_cert_chain(*shown)
    return context


def test_tls(box, papers):
    authority, certificate, key = papers[0]
    with Serving(box, "--tls-cert", certificate, "--tls-key", key) as serving:
        assert serving.url.scheme == "https"
        xks = box.caller(serving.url)
        assert xks.but(tls=trusting(authority)).post("health", HEALTH).status == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            xks.but(tls=trusting(papers[1][0])).post("health", HEALTH)


def test_mutual_tls_lets_in_only_whom_the_authority_knows(box, papers):
    (authority, certificate, key), (_, their_certificate, their_key) = papers
    with Serving(box, "--tls-cert", certificate, "--tls-key", key, "--client-ca", authority) as serving:
        xks = box.caller(serving.url)
        assert xks.but(tls=trusting(authority, certificate, key)).post("health", HEALTH).status == 200
        for shown in ((), (their_certificate, their_key)):
            with pytest.raises(OSError):
                xks.but(tls=trusting(authority, *shown)).post("health", HEALTH)


def test_an_authority_that_is_none(box, papers, tmp_path):
    _, certificate, key = papers[0]
    (tmp_path / "none.pem").write_text("nothing")
    ended = keybox("serve", box.folder, "--tls-cert", certificate, "--tls-key", key, "--client-ca", tmp_path / "none.pem")
    assert ended.returncode == 253
    assert "authority" in ended.stderr
