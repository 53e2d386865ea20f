"""The plain reader and writer beside h11: what they take, it takes too and understands alike."""

import random

import h11
import pytest

from siegel.drivers.plain_http import read_plain, write_plain

HEADERS = [("host", "keys.example:8443"), ("content-type", "application/json"), ("content-length", "2"), ("x-empty-not", "a b")]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Two:  a \t b \r\nx-none:\r\ncontent-length: 4\r\n\r\n{} \n"
PLAIN = [
    ANSWER,
    ANSWER.replace(b"200 OK", b"404 Not Found"),
    ANSWER.replace(b"200 OK", b"500"),
    ANSWER.replace(b"200 OK", b"200 "),
    ANSWER.replace(b"content-length: 4", b"Content-Length:0")[:-4],
]
NOT_PLAIN = {
    "interim": ANSWER.replace(b"200 OK", b"100 Continue"),
    "redirect": ANSWER.replace(b"200 OK", b"302 Found"),
    "without a body": ANSWER.replace(b"200 OK", b"204 No Content"),
    "of another version": ANSWER.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "without a length": ANSWER.replace(b"content-length: 4\r\n", b""),
    "with two lengths": ANSWER.replace(b"x-none:", b"content-length: 4"),
    "with a length that is none": ANSWER.replace(b"content-length: 4", b"content-length: +4"),
    "with a list of lengths": ANSWER.replace(b"content-length: 4", b"content-length: 4, 4"),
    "in chunks": ANSWER.replace(b"x-none:", b"Transfer-Encoding: chunked"),
    "that ends the connection": ANSWER.replace(b"x-none:", b"Connection: close"),
    "with a folded line": ANSWER.replace(b"x-none:", b" folded"),
    "with a space before the colon": ANSWER.replace(b"x-none:", b"x-none :"),
    "with a bare line feed": ANSWER.replace(b"x-none:", b"x-a: b\nx-none:"),
    "with a byte beyond ASCII": ANSWER.replace(b"x-none:", b"x-none: \xe9"),
    "with a zero byte": ANSWER.replace(b"x-none:", b"x-none: \0"),
}


def by_h11(data):
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    head = connection.next_event()
    body = b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    connection.start_next_cycle()
    headers = tuple((name.decode(), value.decode()) for name, value in head.headers)
    return head.status_code, headers, body


def by_us(data):
    head = read_plain(data)
    return None if head is None else (head.status, head.headers, data[head.start : head.stop])


@pytest.mark.parametrize("data", PLAIN)
def test_a_plain_answer_is_read_as_h11_reads_it(data):
    assert by_us(data) == by_h11(data)


@pytest.mark.parametrize("data", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_an_answer_is_not_plain(data):
    assert by_us(data) is None


def test_nothing_is_taken_that_h11_refuses_or_reads_otherwise():
    randomness = random.Random(11)
    taken = 0
    for _ in range(4000):
        data = bytearray(randomness.choice(PLAIN))
        for _ in range(randomness.randint(1, 3)):
            place = randomness.randrange(len(data))
            data[place : place + randomness.randint(0, 2)] = randomness.choice(
                [b"", b"\r", b"\n", b":", b" ", b"\t", b"4", b"x", b"\xff"]
            )
        if b"\r\n\r\n" not in data:
            continue
        found = by_us(bytes(data))
        if found is None or len(data) < read_plain(bytes(data)).stop:
            continue
        taken += 1
        assert found == by_h11(bytes(data))
    assert taken > 500


def test_a_plain_request_is_written_as_h11_reads_it():
    head = write_plain("POST", "/kms/xks/v1/keys/a/decrypt?b=c", HEADERS)
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(head + b"{}")
    request = connection.next_event()
    assert (request.method, request.target) == (b"POST", b"/kms/xks/v1/keys/a/decrypt?b=c")
    assert [(name.decode(), value.decode()) for name, value in request.headers] == HEADERS
    assert connection.next_event().data == b"{}"
    assert isinstance(connection.next_event(), h11.EndOfMessage)


@pytest.mark.parametrize(
    ("method", "target", "header"),
    [
        ("HEAD", "/", ("a", "b")),
        ("GE T", "/", ("a", "b")),
        ("GET", "/a b", ("a", "b")),
        ("GET", "/\r\nx: y", ("a", "b")),
        ("GET", "/\u00e9", ("a", "b")),
        ("GET", "", ("a", "b")),
        ("GET", "/", ("a", "b\r\nc: d")),
        ("GET", "/", ("a", " b")),
        ("GET", "/", ("a", "")),
        ("GET", "/", ("a: b", "c")),
        ("GET", "/", ("\u00e9", "c")),
    ],
)
def test_a_request_is_not_plain(method, target, header):
    assert write_plain(method, target, [("host", "a"), header]) is None
