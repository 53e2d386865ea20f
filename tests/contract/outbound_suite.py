"""What every Outbound keeps. A driver's tests derive from `OutboundContract` and give it drivers."""

import asyncio
from ipaddress import ip_address

import pytest
from tests.contract.outbound_servers import plain, raw, serving

from siegel.domain.addresses import Allowed, parse_allowed
from siegel.domain.outbound import AddressRefusedError, OutboundCall, OutboundError
from siegel.domain.ports import Outbound

HERE = parse_allowed(["127.0.0.1/32"])


def call(url, **more):
    return OutboundCall(**{"url": url, "timeout_s": 20.0, "answer_bytes_max": 1000, **more})


class OutboundContract:
    """One promise of the port per test."""

    def make_outbound(self, allowed: Allowed, names: dict[str, list[str]] | None = None) -> Outbound:
        """Return an outbound that lets `allowed` through, with a resolver that knows `names` alone, if they are given."""
        raise AssertionError("a driver's tests make their outbound")

    def ask(self, answer, *, allowed=HERE, names=None, path="/", host="127.0.0.1", **more):
        """Return the answer of a server on this machine that answers so, and the server."""

        async def talk():
            outbound = self.make_outbound(allowed, names)
            async with serving(answer) as served:
                try:
                    return await outbound.fetch(call(f"http://{host}:{served.port}{path}", **more)), served
                finally:
                    outbound.close()

        return asyncio.run(talk())

    def test_the_answer_comes_whole(self):
        answer, served = self.ask(plain(b"hello", "404 Not Found", "X-Name: value"), path="/a/b?c=d")
        assert (answer.status, answer.body) == (404, b"hello")
        assert ("x-name", "value") in answer.headers
        assert served.requests[0].startswith(b"GET /a/b?c=d HTTP/1.1\r\n")
        assert f"host: 127.0.0.1:{served.port}\r\n".encode() in served.requests[0].lower()

    def test_a_body_is_posted_with_its_headers(self):
        headers = [("Content-Type", "application/json"), ("Host", "elsewhere"), ("Content-Length", "1")]
        answer, served = self.ask(plain(b"ok"), method="POST", body=b'{"a":1}', headers=headers)
        assert answer.body == b"ok"
        request = served.requests[0].lower()
        assert request.startswith(b"post / ")
        assert request.endswith(b'\r\n\r\n{"a":1}')
        assert b"content-type: application/json" in request
        assert b"content-length: 7\r\n" in request
        assert b"elsewhere" not in request

    def test_a_connection_serves_again(self):
        async def talk():
            outbound = self.make_outbound(HERE)
            async with serving(plain(b"x")) as served:
                for _ in range(5):
                    await outbound.fetch(call(f"http://127.0.0.1:{served.port}/"))
                outbound.close()
                return served

        served = asyncio.run(talk())
        assert (len(served.requests), served.connections) == (5, 1)

    def test_calls_at_once_do_not_share_a_connection(self):
        async def talk():
            outbound = self.make_outbound(HERE)
            async with serving(plain(b"x")) as served:
                url = f"http://127.0.0.1:{served.port}/"
                answers = await asyncio.gather(*(outbound.fetch(call(url)) for _ in range(20)))
                outbound.close()
                return [answer.body for answer in answers]

        assert asyncio.run(talk()) == [b"x"] * 20

    def test_a_kept_connection_that_has_ended_costs_nothing(self):
        ending = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", is_last=True)

        async def talk():
            outbound = self.make_outbound(HERE)
            async with serving(ending) as served:
                bodies = [(await outbound.fetch(call(f"http://127.0.0.1:{served.port}/"))).body for _ in range(3)]
                outbound.close()
                return bodies

        assert asyncio.run(talk()) == [b"x"] * 3

    def test_a_kept_connection_that_ends_at_the_next_call_costs_nothing(self):
        answers = plain(b"x")
        served_by: dict[object, int] = {}

        async def once(request, writer):
            served_by[writer] = served_by.get(writer, 0) + 1
            if served_by[writer] > 1:
                writer.transport.abort()
            else:
                await answers(request, writer)

        async def talk():
            outbound = self.make_outbound(HERE)
            async with serving(once) as served:
                bodies = [(await outbound.fetch(call(f"http://127.0.0.1:{served.port}/"))).body for _ in range(3)]
                outbound.close()
                return bodies, served.connections

        assert asyncio.run(talk()) == ([b"x"] * 3, 3)

    def test_more_than_was_asked_for_never_answers_the_next_call(self):
        async def talk():
            outbound = self.make_outbound(HERE)
            async with serving(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n\r\n")) as served:
                for _ in range(2):
                    assert (await outbound.fetch(call(f"http://127.0.0.1:{served.port}/"))).body == b"x"
                outbound.close()
                return served

        assert asyncio.run(talk()).connections == 2

    @pytest.mark.parametrize("is_seen", [True, False])
    def test_what_comes_while_a_connection_rests_never_answers_the_next_call(self, is_seen):
        """Neither what the event loop has seen of it, nor what still waits in the socket."""
        writers = []

        async def echo(request, writer):
            writers.append(writer)
            await plain(request.split(b" ")[1])(request, writer)

        async def talk():
            outbound = self.make_outbound(HERE)
            async with serving(echo) as served:
                for path in ("/1", "/2", "/3"):
                    assert (await outbound.fetch(call(f"http://127.0.0.1:{served.port}{path}"))).body == path.encode()
                    # A socket that has room is written to at once.
                    writers[-1].write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n/0")
                    if is_seen:
                        await asyncio.sleep(0.05)
                outbound.close()
                return served

        assert asyncio.run(talk()).connections == 3

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"100\r\n" + b"x" * 256 + b"\r\n") * 4 + b"0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 40_000 + b"\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
            b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
            b"",
        ],
    )
    def test_what_is_too_much_or_no_answer_is_an_error(self, answer):
        with pytest.raises(OutboundError):
            self.ask(raw(answer, is_last=True))

    def test_who_does_not_answer_is_given_up(self):
        async def silence(_request, _writer):
            await asyncio.sleep(60)

        with pytest.raises(OutboundError, match="does not answer"):
            self.ask(silence, timeout_s=0.2)

    def test_who_is_not_there_is_an_error(self):
        async def talk():
            async with serving(plain(b"")) as served:
                pass
            await self.make_outbound(HERE).fetch(call(f"http://127.0.0.1:{served.port}/"))

        with pytest.raises(OutboundError, match="cannot be connected to"):
            asyncio.run(talk())

    @pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
    def test_t91_rustfs_ghsa_m479_a_redirect_is_not_followed(self, status):
        with pytest.raises(OutboundError, match="redirect"):
            self.ask(plain(b"", status, "Location: http://169.254.169.254/latest/meta-data/"))

    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.1",
            "127.1.2.3",
            "169.254.169.254",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:8.8.8.8]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[fe80::1]",
            "[fd00::1]",
            "0177.0.0.1",
            "2130706433",
            "0x7f.0.0.1",
            "0x7f000001",
            "127.1",
            "127.0.0.1.",
        ],
    )
    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_t91_rustfs_ghsa_m479_cve_2024_4032_an_address_that_is_not_public_is_refused(self, host, scheme):
        outbound = self.make_outbound(Allowed())
        url = f"{scheme}://{host}:9/"
        with pytest.raises(AddressRefusedError):
            outbound.check(url)
        with pytest.raises(AddressRefusedError):
            asyncio.run(outbound.fetch(call(url)))

    def test_t91_a_name_that_leads_there_is_refused_before_a_byte_leaves(self):
        async def talk(names):
            outbound = self.make_outbound(Allowed(), {"idp.example": names})
            async with serving(plain(b"")) as served:
                for scheme in ("http", "https"):
                    with pytest.raises(AddressRefusedError):
                        await outbound.fetch(call(f"{scheme}://idp.example:{served.port}/"))
                return served.connections

        assert asyncio.run(talk(["127.0.0.1"])) == 0
        assert asyncio.run(talk(["8.8.8.8", "127.0.0.1"])) == 0
        assert asyncio.run(talk([])) == 0

    def test_t91_a_name_that_is_rebound_changes_nothing(self):
        """The name is looked up once; a second look-up would lead to an address that is refused."""
        turns = iter([["127.0.0.1"], ["169.254.169.254"]])

        class Turning(dict[str, list[str]]):
            def __getitem__(self, name):
                return next(turns)

        answer, served = self.ask(plain(b"x"), names=Turning(), host="idp.example")
        assert (answer.body, served.connections) == (b"x", 1)
        assert list(turns) == [["169.254.169.254"]]

    def test_t91_what_the_operator_allows_by_name_is_asked(self):
        async def talk():
            async with serving(plain(b"x")) as served:
                outbound = self.make_outbound(parse_allowed([f"idp.example:{served.port}"]), {"idp.example": ["127.0.0.1"]})
                answer = await outbound.fetch(call(f"http://idp.example:{served.port}/"))
                outbound.close()
                other = self.make_outbound(parse_allowed([f"idp.example:{served.port + 1}"]), {"idp.example": ["127.0.0.1"]})
                with pytest.raises(AddressRefusedError):
                    await other.fetch(call(f"http://idp.example:{served.port}/"))
                return answer.body

        assert asyncio.run(talk()) == b"x"

    @pytest.mark.parametrize(
        "url", ["ftp://idp.example/", "https://user@idp.example/", "https://idp.example/#x", "file:///etc/passwd"]
    )
    def test_what_is_no_url_of_http_is_refused(self, url):
        with pytest.raises(AddressRefusedError):
            self.make_outbound(HERE).check(url)


def resolver(names):
    """Return a resolver that knows these names alone."""

    async def resolve(host, _port):
        return [ip_address(address) for address in names[host]]

    return resolve
