"""A bucket's lifecycle as it is stored: rules that remove what has become too old.

Format page: `docs/design/formats/records.md`. Fields are only ever added at the end, with a default.
"""

from msgspec import Struct

from siegel.domain.records import Document


class RuleFilter(Struct, frozen=True, array_like=True):
    """Which objects a rule is about: those that meet all of it.

    `is_legacy`: the rule was put with a Prefix of its own instead of a filter. `size_above_bytes` and `size_below_bytes` are
    exclusive; -1 says nothing.
    """

    is_legacy: bool = False
    prefix: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    size_above_bytes: int = -1
    size_below_bytes: int = -1

    @property
    def judges_content(self) -> bool:
        """Whether it asks for tags or sizes, which delete markers and uploads do not have."""
        return bool(self.tags) or self.size_above_bytes >= 0 or self.size_below_bytes >= 0


class Rule(Struct, frozen=True, array_like=True):
    """One rule. A number of 0 (and False) means that the rule does not do this.

    `expire_days` or `expire_at_ms` end current objects, `expire_markers` delete markers that nothing is under;
    `noncurrent_days` ends noncurrent versions, of which the newest `noncurrent_kept` stay; `abort_days` ends uploads.
    """

    rule_id: str
    is_enabled: bool
    filter: RuleFilter
    expire_days: int = 0
    expire_at_ms: int = 0
    expire_markers: bool = False
    noncurrent_days: int = 0
    noncurrent_kept: int = 0
    abort_days: int = 0


class Lifecycle(Document, frozen=True, array_like=True):
    """A bucket's rules. `minimum_size` is what a client said about transitions, of which there are none; it is told again."""

    rules: tuple[Rule, ...] = ()
    minimum_size: str = ""
