import pytest

from siegel.domain.errors import InvalidURIError
from siegel.s3wire.ledgerpath import split_own_path
from siegel.s3wire.request import parse_request
from siegel.s3wire.route import find_route

OTHERS = [b"/", b"/box", b"/box/.ledger/111122223333/checkpoint", b"/.ledger", b"/.ledgers/x", b"/.consent", b"/.consents/x"]


@pytest.mark.parametrize("path", OTHERS)
def test_other_paths_are_nobodys(path):
    assert split_own_path(path) == ("", "", "")


@pytest.mark.parametrize("file", ["checkpoint", "vkeys", "tile/entries/x001/x234/067.p/17", "openings/000", "consents/index"])
def test_a_file_is_named_with_its_account(file):
    assert split_own_path(f"/.ledger/111122223333/{file}".encode()) == ("ledger", "111122223333", file)


@pytest.mark.parametrize(
    ("rest", "level"),
    [
        ("", "consents"),
        ("keys", "consent-keys"),
        ("6b49d20000c0ffee", "consent"),
        ("6b49d20000c0ffee/approval", "consent"),
    ],
)
def test_a_consent_is_named_with_its_account(rest, level):
    assert split_own_path(f"/.consent/111122223333/{rest}".encode()) == (level, "111122223333", rest)


@pytest.mark.parametrize(
    "path",
    [
        b"/.ledger/",
        b"/.ledger/111122223333",
        b"/.ledger/111122223333/",
        b"/.ledger/11112222333/checkpoint",
        b"/.ledger/111122223333/Checkpoint",
        b"/.ledger/111122223333/tile%2f0/000",
        b"/.ledger/111122223333/a\n",
        b"/.ledger/111122223333/" + b"a" * 201,
        b"/.consent/",
        b"/.consent/111122223333",
        b"/.consent/11112222333/keys",
        b"/.consent/111122223333/keys/x",
        b"/.consent/111122223333/6B49D20000C0FFEE",
        b"/.consent/111122223333/6b49d20000c0ffe",
        b"/.consent/111122223333/6b49d20000c0ffee/",
        b"/.consent/111122223333/6b49d20000c0ffee/a/b",
        b"/.consent/111122223333/keys\n",
    ],
)
def test_what_names_nothing_is_refused(path):
    with pytest.raises(InvalidURIError):
        split_own_path(path)


def test_the_public_warnings_are_of_no_account():
    assert split_own_path(b"/.ledger/warnings") == ("warnings", "", "warnings")


@pytest.mark.parametrize(("path", "account"), [(b"/.ledger/warnings", ""), (b"/.ledger/111122223333/vkeys", "111122223333")])
def test_a_ledgers_file_is_no_bucket(path, account):
    request = parse_request("GET", "http", path, b"", [(b"host", b"h")], "192.0.2.7", ())
    assert (request.bucket, request.object_key, request.ledger_account) == ("", "", account)
    if account:
        assert find_route(request).operation == "ReadLedger"
