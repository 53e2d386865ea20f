"""Two books that balance, for the tests that change one of them."""

import pytest
from tests.unit.customer.two_books import Story


@pytest.fixture(params=[True, False], ids=["carried", "own entries"])
def story(tmp_path, request):
    made = Story(tmp_path, carries=request.param)
    made.write()
    made.read()
    made.read(call=made.read(), later_ms=30_000)
    return made
