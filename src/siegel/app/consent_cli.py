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
"""

consent = App(name="consent", help=_CONSENT)
consent.command("siegel.app.commands.consent_rewrap:rewrap", name="rewrap", help=_REWRAP)
