"""Rolling up, compared with the plainest model of S3's rules that fits on a page."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from siegel.service.rolling import Position, Roll, behind, successor

KEY = st.text(alphabet="ab/\x00\U0010ffff\ud7ff", min_size=1, max_size=5)


class Row(Struct, frozen=True):
    object_key: str


class Rows:
    """Rows over a sorted list, counting what is fetched."""

    def __init__(self, keys: list[str]) -> None:
        self.keys = sorted(keys, key=str.encode)
        self.fetched = 0

    def fetch(self, position: Position, stop: str | None, limit: int) -> list[Row]:
        found = [key for key in self.keys if key >= position.object_key and (stop is None or key < stop)][:limit]
        self.fetched += len(found)
        return [Row(key) for key in found]

    def next_key(self, position: Position, stop: str | None) -> str | None:
        found = self.fetch(position, stop, 1)
        return found[0].object_key if found else None

    def position_behind(self, row: Row) -> Position:
        return Position(behind(row.object_key))


def model(keys: list[str], prefix: str, delimiter: str, after: str) -> list[str]:
    """What a list shows: keys, and common prefixes once each, in order."""
    roll = Roll(prefix, delimiter)
    shown: list[str] = []
    for key in sorted(keys, key=str.encode):
        if not key.startswith(prefix):
            continue
        name = roll.common_prefix(key) or key
        rolled_marker = after.startswith(prefix) and roll.common_prefix(after) == after
        is_behind = name > after if rolled_marker else key > after
        if (not after or is_behind) and name not in shown:
            shown.append(name)
    return shown


@given(
    st.sets(KEY, max_size=12), st.text(alphabet="ab/", max_size=2), st.sampled_from(["", "/", "a/"]), st.one_of(st.just(""), KEY)
)
def test_a_walk_shows_what_the_model_shows(keys: set[str], prefix: str, delimiter: str, after: str) -> None:
    roll = Roll(prefix, delimiter)
    walked = [row.object_key if row else common for row, common in roll.walk(Rows(list(keys)), roll.begin(after), 1000)]
    assert walked == model(list(keys), prefix, delimiter, after)


@given(st.sets(KEY, max_size=12), st.sampled_from(["", "/"]), st.integers(1, 4))
def test_pages_add_up_to_the_whole(keys: set[str], delimiter: str, limit: int) -> None:
    roll, rows, after, seen = Roll("", delimiter), Rows(list(keys)), "", []
    while True:
        page = [row.object_key if row else common for row, common in roll.walk(rows, roll.begin(after), limit + 1)][:limit]
        if not page:
            break
        seen += page
        after = page[-1]
    assert seen == model(list(keys), "", delimiter, "")


@given(KEY, KEY)
def test_the_successor_bounds_exactly_the_keys_of_a_prefix(prefix: str, key: str) -> None:
    end = successor(prefix)
    assert key.startswith(prefix) == (key >= prefix and (end is None or key < end))


def test_a_common_prefix_costs_one_look_however_much_lies_below() -> None:
    rows = Rows([f"{name}/{number:05}" for name in "abc" for number in range(2000)])
    shown = [common for _, common in Roll("", "/").walk(rows, Position(""), 1001)]
    assert shown == ["a/", "b/", "c/"]
    assert rows.fetched == 3
