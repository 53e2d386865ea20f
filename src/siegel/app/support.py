"""The operators' side of consents, put together from the parts of a deployment."""

from siegel.app.wiring import Deployment
from siegel.service.consents.live import LiveConsents
from siegel.service.consents.support import Support
from siegel.service.session_tokens import SessionTokens


def build_support(deployment: Deployment) -> Support:
    """Return the use cases."""
    return Support(
        deployment.store,
        deployment.store,
        SessionTokens(deployment.custodian, deployment.randomness),
        LiveConsents(deployment.store, deployment.custodian, deployment.clock),
        clock=deployment.clock,
        randomness=deployment.randomness,
    )
