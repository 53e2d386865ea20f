"""An independent writer of aws-chunked bodies, by the letter of Amazon's pages; every signature can be spoilt."""

import hmac
from hashlib import sha256

from siegel.s3wire.chunked import ChunkChain
from siegel.s3wire.sigv4 import signing_key

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEY = signing_key(SECRET, "20130524", "us-east-1", "s3")
TIMESTAMP = "20130524T000000Z"
SCOPE = "20130524/us-east-1/s3/aws4_request"
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
TRAILER_SEED = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"


def chain(seed: str = SEED) -> ChunkChain:
    return ChunkChain(KEY, TIMESTAMP, SCOPE, seed)


class Signer:
    """Signs chunk after chunk."""

    def __init__(self, seed: str = SEED) -> None:
        self.previous = seed

    def _sign(self, kind: str, digests: str) -> str:
        to_sign = f"{kind}\n{TIMESTAMP}\n{SCOPE}\n{self.previous}\n{digests}"
        self.previous = hmac.new(KEY, to_sign.encode(), sha256).hexdigest()
        return self.previous

    def chunk(self, payload: bytes) -> bytes:
        signature = self._sign("AWS4-HMAC-SHA256-PAYLOAD", f"{sha256(b'').hexdigest()}\n{sha256(payload).hexdigest()}")
        return f"{len(payload):x};chunk-signature={signature}\r\n".encode() + (payload + b"\r\n" if payload else b"")

    def trailer(self, name: str, value: str, ending: str = "\r\n") -> bytes:
        signature = self._sign("AWS4-HMAC-SHA256-TRAILER", sha256(f"{name}:{value}\n".encode()).hexdigest())
        return f"{name}:{value}{ending}x-amz-trailer-signature:{signature}\r\n".encode()


def signed_body(*chunks: bytes, seed: str = SEED) -> bytes:
    """Write chunks, the last one of zero bytes, and the end."""
    signer = Signer(seed)
    return b"".join(signer.chunk(payload) for payload in (*chunks, b"")) + b"\r\n"


def signed_trailer_body(*chunks: bytes, name: str, value: str, ending: str = "\r\n") -> bytes:
    signer = Signer(TRAILER_SEED)
    frames = b"".join(signer.chunk(payload) for payload in (*chunks, b""))
    return frames + signer.trailer(name, value, ending) + b"\r\n"


def unsigned_body(*chunks: bytes, trailers: bytes = b"") -> bytes:
    frames = b"".join(b"%X\r\n%s\r\n" % (len(payload), payload) for payload in chunks)
    return frames + b"0\r\n" + trailers + b"\r\n"
