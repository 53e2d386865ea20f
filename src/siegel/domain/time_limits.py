"""The tag of buckets and keys that says for how long a data key, which a customer's key server has opened, may be used."""

from typing import Final

from siegel.domain.limits import DATA_KEY_S_MAX

TIME_LIMIT_TAG: Final = "siegel:data-key-seconds"
"""Its value is a number of seconds, 0 to DATA_KEY_S_MAX, in decimal digits."""
TIME_LIMIT_RULE: Final = f"The tag {TIME_LIMIT_TAG} says a whole number of seconds, 0 to {DATA_KEY_S_MAX}."
_DIGITS_MAX: Final = 6


def is_time_limit(text: str) -> bool:
    """Tell whether the tag may have a value: others are refused where the tag is put."""
    return _is_number(text) and int(text) <= DATA_KEY_S_MAX


def read_time_limit(text: str) -> int:
    """Return the seconds that a stored value says: one that says none, from before values were checked, means 0."""
    return min(int(text), DATA_KEY_S_MAX) if _is_number(text) else 0


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX
