from ipaddress import ip_address, ip_network

import pytest

from siegel.domain.addresses import Allowed, Endpoint, check_addresses, check_url, is_denied, parse_allowed, parse_endpoint
from siegel.domain.outbound import AddressRefusedError

HOST = Endpoint(is_tls=True, host="idp.example", port=443, target="/")
PLAIN = Endpoint(is_tls=False, host="idp.example", port=80, target="/")


@pytest.mark.parametrize(
    ("url", "endpoint", "authority"),
    [
        ("https://idp.example", ("idp.example", 443, "/"), "idp.example"),
        ("https://IDP.Example:443/A?b=c", ("idp.example", 443, "/A?b=c"), "idp.example"),
        ("https://idp.example:8443/", ("idp.example", 8443, "/"), "idp.example:8443"),
        ("https://8.8.8.8/", ("8.8.8.8", 443, "/"), "8.8.8.8"),
        ("https://[2A00:1450::0:1]:9/", ("2a00:1450::1", 9, "/"), "[2a00:1450::1]:9"),
    ],
)
def test_what_urls_name(url, endpoint, authority):
    found = parse_endpoint(url)
    assert (found.host, found.port, found.target) == endpoint
    assert found.is_tls
    assert found.authority == authority


def test_plain_http_has_its_own_port():
    assert parse_endpoint("http://idp.example/x") == Endpoint(is_tls=False, host="idp.example", port=80, target="/x")
    assert PLAIN.authority == "idp.example"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "idp.example",
        "HTTPS://idp.example/",
        "https:///x",
        "https://user:password@idp.example/",
        "https://idp.example/#fragment",
        "https://idp.example\\@evil.example/",
        "https://idp.example/a b",
        "https://idp.example/\r\nX: y",
        "https://idp.example/ä",
        "https://idp.exämple/",
        "https://idp.example:0/",
        "https://idp.example:65536/",
        "https://idp.example:/",
        "https://idp..example/",
        "https://idp.example./",
        "https://-idp.example/",
        "https://[::1",
        "https://[idp.example]/",
        "https://[fe80::1%25eth0]/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://127.0.0.0x1/",
        "https://1.2.3.256/",
        "https://" + "a" * 2048,
        "file:///etc/passwd",
        "gopher://idp.example/",
    ],
)
def test_what_is_no_url_or_an_address_in_disguise_is_refused(url):
    with pytest.raises(AddressRefusedError):
        parse_endpoint(url)


@pytest.mark.parametrize(
    "network",
    [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "::1/128",
        "::ffff:0:0/96",
        "::/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001::/32",
        "2001:db8::/32",
        "2002::/16",
        "2620:4f:8000::/48",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    ],
)
def test_t91_cve_2024_4032_every_special_network_is_denied_from_end_to_end(network):
    whole = ip_network(network)
    assert is_denied(whole[0])
    assert is_denied(whole[-1])


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2001:200::",
        "2001:4860:4860::8888",
        "2003::",
        "2a00:1450:4001::1",
        "2620:fe::fe",
        "3ffe::",
        "3fff:1000::",
    ],
)
def test_public_addresses_are_not_denied(address):
    assert not is_denied(ip_address(address))


def test_every_address_of_a_name_counts():
    public, private = ip_address("8.8.8.8"), ip_address("10.0.0.1")
    check_addresses(HOST, [public], Allowed())
    for addresses in ([private], [public, private], [], [public] * 9):
        with pytest.raises(AddressRefusedError):
            check_addresses(HOST, addresses, Allowed())
    with pytest.raises(AddressRefusedError, match="https only"):
        check_addresses(PLAIN, [public], Allowed())


def test_what_the_operator_allows():
    private = ip_address("10.0.0.1")
    for entries in (["idp.example:443"], ["10.0.0.1:443"], ["10.0.0.0/8"], ["[::1]:9", "fd00::/8", "10.0.0.1/32"]):
        check_addresses(HOST, [private], parse_allowed(entries))
    for entries in (["idp.example:8443"], ["10.0.0.1:80"], ["10.1.0.0/16"], ["::/0"], ["evil.idp.example:443"]):
        with pytest.raises(AddressRefusedError):
            check_addresses(HOST, [private], parse_allowed(entries))
    check_addresses(PLAIN, [private], parse_allowed(["IDP.example:80"]))
    with pytest.raises(AddressRefusedError):
        check_addresses(HOST, [ip_address("::ffff:10.0.0.1")], parse_allowed(["10.0.0.0/8"]))


@pytest.mark.parametrize(
    "entry", ["", "idp.example", "10.0.0.1", "10.0.0.1/8", "idp.example:0", "idp.example:443:1", "0177.1:80", "a b:1"]
)
def test_what_is_no_entry_of_the_list_is_refused(entry):
    with pytest.raises(ValueError, match=r"\S"):
        parse_allowed([entry])


def test_urls_are_judged_by_their_text_as_far_as_that_goes():
    check_url("https://idp.example/", Allowed())
    check_url("https://8.8.8.8/", Allowed())
    check_url("http://10.0.0.1/", parse_allowed(["10.0.0.0/8"]))
    check_url("http://idp.example/", parse_allowed(["10.0.0.0/8"]))
    check_url("http://idp.example/", parse_allowed(["idp.example:80"]))
    for url in ("https://127.0.0.1/", "http://8.8.8.8/", "http://idp.example/"):
        with pytest.raises(AddressRefusedError):
            check_url(url, Allowed())
    with pytest.raises(AddressRefusedError):
        check_url("http://idp.example:81/", parse_allowed(["idp.example:80"]))
