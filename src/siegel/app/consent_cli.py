"""The commands of consent, on the customer's side, named here and imported when they are called."""

from typing import Final

from cyclopts import App

_CONSENT: Final = """Decide who of the provider may look at what, and until when: by a signature that nobody else can make.

Nothing here needs to be believed by anybody: what you sign says everything, and what you did not sign opens nothing.
"""

_REWRAP: Final = """Wrap the data keys of named sealed objects for an engineer's key, in a file to give away.

For objects that were sealed before sending (`siegel seal`): the store has no key of theirs, so neither has its support. The file
opens these objects as they are now, for that one key, and nothing else: no other object, none of them sealed anew. It cannot be
called back: seal an object anew to end it. The engineer opens with: siegel open S3-URI --key KEY --wrapped FILE --from YOUR-LINE
The exit status is 3, and no file is written, if one of the objects is not what was sealed, as `siegel open` tells it.
"""

_SHOW: Final = """Show one request: who asks, why, for what, until when, what is kept of it, and how it stands.

The request is read strictly, and held against your policy: one about another account, or another ledger, is refused.
"""

_APPROVE: Final = """Grant a request, or less of it, by your signature, and wait until your witnesses have seen that.

Everything that you sign is shown first. --until and --objects grant less than was asked for. Where several have to sign, each
says this command; the first one decides how much. It is in force once it is in your ledger under a quorum of the witnesses of
your policy: then the evidence of that is checked here, and written to a file (-o) and into your key server's box (--keybox).
"""

_REVOKE: Final = """End a consent: within a second, downloads that run included.

With a key the revocation is signed; the right to decide consents (siegel:DecideConsent) is enough. With --keybox your key server
refuses from the next call on, whatever the store does. What was read stays read.
"""

_EVIDENCE: Final = """Fetch the evidence of an approval, check it by what is pinned in DIR, and hand it on.

Whoever has the evidence, your consent keys and your policy can check it, without the store and without you.
"""

_KEYGEN: Final = """Make a key by which you consent: in FILE (mode 0600), or without FILE in a PKCS#11 token.

Keep it where nobody of the provider's comes. It is an Ed25519 key of notes (c2sp.org/signed-note).
"""

_PUT: Final = """Pin the keys in DIR, from now on, and tell the store. What was signed before is judged by the keys of before.

What is pinned decides in your audits; the store's copy decides what the store lets pass. A store that takes others is found out.
Your key server has its own: siegel keybox consent trust.
"""

_KEYS_SHOW: Final = """Show the keys that are pinned in DIR, and whether the store has the same; the exit status is 3 if not."""

consent = App(name="consent", help=_CONSENT)
for _name, _place, _help in (
    ("list", "consent:list_consents", "List requests and consents, the oldest first."),
    ("show", "consent:show", _SHOW),
    ("approve", "consent:approve", _APPROVE),
    ("deny", "consent:deny", "Say no to a request. Without an answer nothing is granted either; this ends the waiting."),
    ("revoke", "consent:revoke", _REVOKE),
    ("evidence", "consent:evidence", _EVIDENCE),
    ("keygen", "consent_keys:keygen", _KEYGEN),
    ("rewrap", "consent_rewrap:rewrap", _REWRAP),
):
    consent.command(f"siegel.app.commands.{_place}", name=_name, help=_help)
keys = App(name="keys", help="Say whose signatures count, and how many are needed.")
for _name, _place, _help in (
    ("new", "new_keys", "Write the file of keys: whose signatures count, and how many are needed."),
    ("put", "put_keys", _PUT),
    ("show", "show_keys", _KEYS_SHOW),
):
    keys.command(f"siegel.app.commands.consent_keys:{_place}", name=_name, help=_help)
consent.command(keys)
