"""The table of what this service does of STS.

Source: AWS STS API Reference, "Actions"; AWS Service Authorization Reference, "Actions defined by AWS Security Token Service".
"""

from typing import Final

from siegel.domain.entry import kind_of
from siegel.iamwire import sts_asks as asks
from siegel.iamwire.action import About, Action, QueryProtocol, by_name
from siegel.iamwire.ask import Ask

SERVICE: Final = "sts"


def _action(name: str, ask: type[Ask], about: About, *, unsigned: bool = False) -> Action:
    permission, kind = f"{SERVICE}:{name}", kind_of(SERVICE, name)
    return Action(name=name, permission=permission, kind=kind, ask=ask, about=about, unsigned=unsigned)


REFUSED: Final = {
    "AssumeRoleWithSAML": "Identities of others come as web identities: there are no SAML providers.",
    "AssumeRoot": "There are no organizations of accounts: nobody acts as another account's root.",
    "DecodeAuthorizationMessage": "Denials say why in plain words to the account's own principals: nothing is encoded.",
    "GetDelegatedAccessToken": "There are no delegations to trade for.",
    "GetFederationToken": "Give a role to whoever needs rights for a while, and let him take it on.",
    "GetWebIdentityToken": "Siegel takes web identities from others and gives out none.",
}
STS: Final = QueryProtocol(
    service=SERVICE,
    namespace="https://sts.amazonaws.com/doc/2011-06-15/",
    version="2011-06-15",
    actions=by_name(
        [
            _action("GetCallerIdentity", asks.GetCallerIdentity, About.CALLER),
            _action("GetSessionToken", asks.GetSessionToken, About.CALLER),
            _action("GetAccessKeyInfo", asks.GetAccessKeyInfo, About.ACCOUNT),
            _action("AssumeRole", asks.AssumeRole, About.ROLE),
            _action("AssumeRoleWithWebIdentity", asks.AssumeRoleWithWebIdentity, About.ROLE, unsigned=True),
        ]
    ),
    refused=REFUSED,
)
"""What is spoken to requests that are signed for `sts`."""
