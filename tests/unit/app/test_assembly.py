"""How a worker is put together."""

from siegel.app.assembly import build_s3
from siegel.app.config import merge, resolve
from siegel.app.wiring import create_deployment
from siegel.service.kms.proxies import Proxies


def test_objects_and_calls_of_the_key_service_share_one_bound_of_calls_to_a_key_server(tmp_path, monkeypatch):
    made = []
    init = Proxies.__init__

    def counted(self, *words):
        made.append(self)
        init(self, *words)

    monkeypatch.setattr(Proxies, "__init__", counted)
    settings = resolve(merge({}, {}), tmp_path)
    deployment = create_deployment(settings)
    try:
        doors = build_s3(deployment, settings)._doors()
        assert set(doors) == {"kms", "iam", "sts"}
        assert len(made) == 1
        assert doors["kms"]._keys._inquiries._proxies is made[0]
    finally:
        deployment.close()
