"""The ownership controls of a bucket in XML.

Source: Amazon S3 API Reference, PutBucketOwnershipControls; User Guide, "Controlling ownership of objects".
"""

from typing import Final

from siegel.domain.configuration import OwnershipControls
from siegel.domain.errors import MalformedXMLError
from siegel.s3wire.refusals import OWNERSHIPS, check_ownership
from siegel.s3wire.xmltext import document, element
from siegel.s3wire.xmltree import children, leaves, read_tree

_ROOT: Final = "OwnershipControls"


def parse_ownership_controls(body: bytes) -> OwnershipControls:
    """Return what a PutBucketOwnershipControls asks for. Raises MalformedXMLError, UnsupportedFeatureError for ACLs."""
    rules = [leaves(rule, frozenset({"ObjectOwnership"})) for rule in children(read_tree(body, _ROOT), frozenset({"Rule"}))]
    if len(rules) != 1:
        raise MalformedXMLError("There is one Rule.")
    ownership = rules[0].get("ObjectOwnership", "").strip()
    if ownership not in OWNERSHIPS:
        raise MalformedXMLError(f"ObjectOwnership is one of {', '.join(sorted(OWNERSHIPS))}.")
    check_ownership(ownership)
    return OwnershipControls(object_ownership=ownership)


def render_ownership_controls(controls: OwnershipControls) -> bytes:
    """Return the answer of GetBucketOwnershipControls."""
    return document(_ROOT, f"<Rule>{element('ObjectOwnership', controls.object_ownership)}</Rule>")
