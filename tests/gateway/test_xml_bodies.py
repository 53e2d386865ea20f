"""XML that comes from clients: nothing is fetched, nothing expands, nothing unknown is dropped."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest

from .raw import Answer
from .shelf import Shelf, md5_b64, refused

BODIES = {
    "versioning": b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
    "delete": b"<Delete><Object><Key>k</Key></Object></Delete>",
    "complete": b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
    "create": b"<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>",
}
# Bodies of configurations, by the sub-resource that they are put to.
CONFIGURATIONS = {
    "publicAccessBlock": (
        b"<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>"
    ),
    "ownershipControls": (
        b"<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>"
    ),
    "tagging": b"<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>",
    "encryption": (
        b"<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>"
        b"</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
    ),
    "acl": b"<AccessControlPolicy><AccessControlList/></AccessControlPolicy>",
}
BODIES |= CONFIGURATIONS
CODES = "MalformedXML", "MaxMessageLengthExceeded", "EntityTooLarge", "MalformedXMLError", "InvalidRequest"


@pytest.fixture
def post(bucket: Shelf) -> Callable[[str, bytes], Answer]:
    """Send an XML body to one of the operations that take one."""
    bucket.put("k", b"1")
    upload = bucket.start("up")

    def send(kind: str, xml: bytes) -> Answer:
        if kind == "versioning":
            return bucket.call("PUT", query="versioning", body=xml)
        if kind == "delete":
            return bucket.call("POST", query="delete", headers=[("Content-MD5", md5_b64(xml))], body=xml)
        if kind in CONFIGURATIONS:
            return bucket.call("PUT", query=kind, headers=[("Content-MD5", md5_b64(xml))], body=xml)
        if kind == "complete":
            return bucket.call("POST", "up", query=f"uploadId={upload}", body=xml)
        return bucket.raw.call("PUT", "never-made-bucket", body=xml)

    return send


@pytest.fixture
def trap_port() -> object:
    """A listening socket that nobody may ever connect to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server.getsockname()[1]
        with pytest.raises(BlockingIOError):
            server.accept()


def dressed(kind: str, prologue: bytes, inside: bytes = b"") -> bytes:
    body = BODIES[kind]
    first_end = body.index(b">") + 1
    return prologue + body[:first_end] + inside + body[first_end:]


DOCTYPES = {
    "plain": b"<!DOCTYPE x>",
    "external": b"<!DOCTYPE x SYSTEM 'http://127.0.0.1:PORT/x.dtd'>",
    "public": b"<!DOCTYPE x PUBLIC 'p' 'http://127.0.0.1:PORT/x.dtd'>",
    "entity": b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>",
    "net entity": b"<!DOCTYPE x [<!ENTITY e SYSTEM 'http://127.0.0.1:PORT/e'>]>",
    "parameter": b"<!DOCTYPE x [<!ENTITY % p SYSTEM 'http://127.0.0.1:PORT/p'> %p;]>",
    "with declaration": b"<?xml version='1.0'?>\n<!-- c -->\n<!DOCTYPE x [<!ENTITY e 'e'>]>",
    "spaced": b"<?xml version='1.0'?>   \n\n<!DOCTYPE\nx\n[<!ENTITY e 'e'>]\n>",
}


@pytest.mark.parametrize("doctype", DOCTYPES)
@pytest.mark.parametrize("kind", BODIES)
def test_t67_swift_cve_2022_47950_no_declaration_is_ever_read(bucket: Shelf, post, trap_port, kind, doctype):
    prologue = DOCTYPES[doctype].replace(b"PORT", str(trap_port).encode())
    with bucket.unchanged():
        for inside in (b"", b"<Extra>&e;</Extra>"):
            answer = refused(post(kind, dressed(kind, prologue, inside)), 400, *CODES)
            assert b"root:" not in answer.body


@pytest.mark.parametrize("kind", BODIES)
def test_t67_cve_2013_1665_no_inclusion_and_no_instruction(bucket: Shelf, post, trap_port, kind):
    url = f"http://127.0.0.1:{trap_port}/x".encode()
    inside = b"<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='" + url + b"' parse='text'/>"
    with bucket.unchanged():
        refused(post(kind, dressed(kind, b"", inside)), 400, *CODES)
        refused(post(kind, dressed(kind, b"", b"&undefined;")), 400, *CODES)
        sheet = b"<?xml-stylesheet href='" + url + b"'?><Wrong/>"
        refused(post(kind, sheet), 400, *CODES)


def bomb(levels: int = 30) -> bytes:
    rows = b"".join(b"<!ENTITY e%d '%s'>" % (n, b"&e%d;" % (n - 1) * 10) for n in range(1, levels))
    return b"<!DOCTYPE x [<!ENTITY e0 'ha'>" + rows + b"]>"


BOMBS: dict[str, Callable[[str], bytes]] = {
    "billion laughs": lambda kind: dressed(kind, bomb(), b"<X>&e29;</X>"),
    "depth": lambda kind: b"<a>" * 100_000 + b"</a>" * 100_000,
    "deep inside": lambda kind: dressed(kind, b"", b"<a>" * 5000 + b"</a>" * 5000),
    "attributes": lambda kind: dressed(kind, b"", b"<a " + b" ".join(b"a%d='1'" % n for n in range(20_000)) + b"/>"),
    "huge name": lambda kind: dressed(kind, b"", b"<" + b"a" * 500_000 + b"/>"),
    "huge text": lambda kind: dressed(kind, b"", b"<a>" + b"t" * 1_500_000 + b"</a>"),
    "huge comment": lambda kind: b"<!--" + b"c" * 1_900_000 + b"-->",
    "utf-16": lambda kind: BODIES[kind].decode().encode("utf-16"),
    "utf-16 declared": lambda kind: ("<?xml version='1.0' encoding='utf-16'?><!DOCTYPE x>" + BODIES[kind].decode()).encode(
        "utf-16"
    ),
    "utf-16le bare": lambda kind: ("<!DOCTYPE x [<!ENTITY e 'e'>]>" + BODIES[kind].decode()).encode("utf-16-le"),
    "utf-32": lambda kind: BODIES[kind].decode().encode("utf-32"),
    "utf-7": lambda kind: b"<?xml version='1.0' encoding='utf-7'?>+ADw-!DOCTYPE x+AD4-" + BODIES[kind],
    "ebcdic": lambda kind: ("<?xml version='1.0' encoding='cp037'?>" + BODIES[kind].decode()).encode("cp037"),
    "latin-1 declared": lambda kind: b"<?xml version='1.0' encoding='latin-1'?><!DOCTYPE x>" + BODIES[kind],
    "two marks": lambda kind: b"\xef\xbb\xbf\xef\xbb\xbf" + BODIES[kind],
    "nul": lambda kind: BODIES[kind] + b"\x00",
    "control": lambda kind: dressed(kind, b"", b"<a>&#1;</a>"),
    "invalid utf-8": lambda kind: dressed(kind, b"", b"<a>\xff</a>"),
}


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("kind", BODIES)
def test_t68_billion_laughs_and_other_bombs(bucket: Shelf, post, kind, name):
    """Class: small bodies that want to become large."""
    with bucket.unchanged():
        began = time.monotonic()
        answer = post(kind, BOMBS[name](kind))
        refused(answer, 400, *CODES)
        assert time.monotonic() - began < 30


@pytest.mark.parametrize("kind", BODIES)
def test_t68_a_body_over_the_limit_is_refused_unread(bucket: Shelf, post, kind):
    with bucket.unchanged():
        refused(post(kind, BODIES[kind] + b" " * (4 * 1024 * 1024)), (400, 413), *CODES)


ODD = {
    "versioning": [
        b"<VersioningConfiguration><Status>Enabled</Status><Unknown>1</Unknown></VersioningConfiguration>",
        b"<VersioningConfiguration><status>Enabled</status></VersioningConfiguration>",
        b"<VersioningConfiguration><Status>Enabled</Status><Status>Suspended</Status></VersioningConfiguration>",
        b"<VersioningConfiguration><Status>Enabled<x/></Status></VersioningConfiguration>",
        b"<VersioningConfiguration Status='Enabled'/>",
    ],
    "delete": [
        b"<Delete></Delete>",
        b"<Delete><Object/></Delete>",
        b"<Delete><Object><Key>k</Key><Key>k2</Key></Object></Delete>",
        b"<Delete><Object><key>k</key></Object></Delete>",
        b"<Delete><Object><Key>k</Key><Unknown>1</Unknown></Object></Delete>",
        b"<Delete><Unknown/><Object><Key>k</Key></Object></Delete>",
        b"<Delete><Quiet>maybe</Quiet><Object><Key>k</Key></Object></Delete>",
        b"<Delete><Quiet>true</Quiet><Quiet>false</Quiet><Object><Key>k</Key></Object></Delete>",
        b"<Delete><Object><Key>k</Key><Size>-1</Size></Object></Delete>",
        b"<Delete><Object><Key>k</Key><Size>many</Size></Object></Delete>",
        b"<Delete><Object><Key>k</Key><LastModifiedTime>soon</LastModifiedTime></Object></Delete>",
        b"<Delete xmlns='http://elsewhere.example/'><Object><Key>k</Key></Object></Delete>",
    ],
    "complete": [
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag><Unknown/></Part></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Unknown/></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part><partNumber>1</partNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag><ETag>y</ETag></Part></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part><PartNumber>-1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part><PartNumber>"
        + b"9" * 40
        + b"</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
    ],
    "publicAccessBlock": [
        b"<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><Unknown/></PublicAccessBlockConfiguration>",
        b"<PublicAccessBlockConfiguration><blockPublicAcls>true</blockPublicAcls></PublicAccessBlockConfiguration>",
        CONFIGURATIONS["publicAccessBlock"].replace(b">true<", b">perhaps<"),
    ],
    "ownershipControls": [
        b"<OwnershipControls/>",
        b"<OwnershipControls><Rule/></OwnershipControls>",
        CONFIGURATIONS["ownershipControls"].replace(b"BucketOwnerEnforced", b"Everybody"),
        CONFIGURATIONS["ownershipControls"].replace(b"<Rule>", b"<Rule><Unknown/>"),
    ],
    "tagging": [
        b"<Tagging/>",
        b"<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>",
        b"<Tagging><TagSet><tag><Key>k</Key><Value>v</Value></tag></TagSet></Tagging>",
        CONFIGURATIONS["tagging"].replace(b"<Key>k</Key>", b"<Key>k</Key><Key>l</Key>"),
    ],
    "encryption": [
        b"<ServerSideEncryptionConfiguration/>",
        CONFIGURATIONS["encryption"].replace(b"AES256", b"ROT13"),
        CONFIGURATIONS["encryption"].replace(b"<Rule>", b"<Rule><Unknown/>"),
        CONFIGURATIONS["encryption"].replace(b"<Rule>", b"<Rule><BucketKeyEnabled>2</BucketKeyEnabled>"),
    ],
    "acl": [
        b"<AccessControlPolicy/>",
        b"<AccessControlPolicy><AccessControlList><Grant/></AccessControlList></AccessControlPolicy>",
        b"<AccessControlPolicy><AccessControlList/><AccessControlList/></AccessControlPolicy>",
    ],
}


@pytest.mark.parametrize(("kind", "xml"), [(kind, xml) for kind, rows in ODD.items() for xml in rows])
def test_t69_unknown_misspelt_and_doubled_elements(bucket: Shelf, post, kind, xml):
    """RustFS serde notes: what is not understood is refused, never silently dropped."""
    with bucket.unchanged():
        codes = *CODES, "InvalidArgument", "InvalidPart", "IllegalVersioningConfigurationException"
        refused(post(kind, xml), 400, *codes)


def test_bodies_with_and_without_namespace_declaration_and_space_are_read(bucket: Shelf, post):
    for xml in (
        BODIES["versioning"],
        b"<?xml version='1.0' encoding='UTF-8'?>\n" + BODIES["versioning"],
        b"\xef\xbb\xbf" + BODIES["versioning"],
        BODIES["versioning"].replace(b"Configuration>", b"Configuration xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>\n ", 1),
        b"<!-- a comment -->" + BODIES["versioning"],
    ):
        assert post("versioning", xml).status == 200, xml
