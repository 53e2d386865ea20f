import pytest

from siegel.domain.errors import InvalidURIError
from siegel.s3wire.ledgerpath import split_ledger_path


@pytest.mark.parametrize("path", [b"/", b"/box", b"/box/.ledger/111122223333/checkpoint", b"/.ledger", b"/.ledgers/x"])
def test_other_paths_are_nobodys_ledger(path):
    assert split_ledger_path(path) == ("", "")


@pytest.mark.parametrize("file", ["checkpoint", "vkeys", "tile/entries/x001/x234/067.p/17", "openings/000"])
def test_a_file_is_named_with_its_account(file):
    assert split_ledger_path(f"/.ledger/111122223333/{file}".encode()) == ("111122223333", file)


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
    ],
)
def test_what_names_no_file_is_refused(path):
    with pytest.raises(InvalidURIError):
        split_ledger_path(path)
