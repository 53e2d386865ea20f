import pytest

from siegel.web.peer import Peer, Proxies

PROXY = "10.0.0.1"


def headers(*forwarded, proto=None):
    pairs = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return pairs + ([(b"x-forwarded-proto", proto)] if proto else [])


@pytest.mark.parametrize("networks", [(), ("10.0.0.0/8", "fd00::/8")])
def test_t32_rustfs_cve_2026_21862_nobody_but_a_configured_proxy_speaks_for_others(networks):
    peer = Proxies(networks).peer("192.0.2.9", "http", headers("1.2.3.4", proto=b"https"))
    assert peer == Peer("192.0.2.9", "http")


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (["1.2.3.4"], "1.2.3.4"),
        (["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        (["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
        (["1.2.3.4, 10.9.9.9"], "1.2.3.4"),
        (["10.1.1.1, 10.9.9.9"], "10.1.1.1"),
        (["1.2.3.4, nonsense, 10.9.9.9"], "10.9.9.9"),
        (["::ffff:1.2.3.4"], "1.2.3.4"),
        (["2001:db8::1, fd00::2"], "2001:db8::1"),
        ([], PROXY),
        (["nonsense"], PROXY),
        ([""], PROXY),
        (["1.2.3.4:80"], PROXY),
    ],
)
def test_the_client_is_the_last_hop_that_is_no_proxy(forwarded, address):
    assert Proxies(["10.0.0.0/8", "fd00::/8"]).peer(PROXY, "http", headers(*forwarded)).address == address


@pytest.mark.parametrize(
    ("proto", "scheme"), [(b"https", "https"), (b"http", "http"), (b"ftp", "http"), (b"https,http", "http"), (None, "http")]
)
def test_a_proxy_tells_the_scheme(proto, scheme):
    assert Proxies(["10.0.0.0/8"]).peer(PROXY, "http", headers("1.2.3.4", proto=proto)).scheme == scheme


def test_a_mapped_address_of_a_proxy_is_the_proxy():
    assert Proxies(["10.0.0.0/8"]).peer("::ffff:10.0.0.1", "http", headers("1.2.3.4")).address == "1.2.3.4"


def test_an_unknown_peer_is_no_proxy():
    assert Proxies(["10.0.0.0/8"]).peer("", "http", headers("1.2.3.4")) == Peer("", "http")
