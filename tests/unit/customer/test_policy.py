import pytest

from siegel.customer.keybox.content import Key
from siegel.customer.keybox.policy import read_policy
from siegel.customer.keybox.rates import Rate
from siegel.customer.keybox.refusals import RefusedError
from siegel.customer.keybox.uses import Use
from siegel.domain.errors import ConfigurationError, PolicyError

KEY = Key("key-id", "main", 0, bytes(32))
# A Monday: 2026-03-02, noon UTC.
NOON_MS = 1_772_452_800_000
HOUR_MS = 3_600_000
ALICE = "arn:aws:iam::123456789012:user/Alice"
OBJECT = {"account": "123456789012", "bucket": "evidence", "key": "2026/film.mp4"}


def use(operation="xks.decrypt", principal=ALICE, context=OBJECT, **metadata):
    return Use("", operation, principal=principal, context=context, metadata=metadata)


def refusal(text, asked, now_ms=NOON_MS, key=KEY):
    try:
        read_policy(f"{text}\n").admit(asked, key, now_ms)
    except RefusedError as refused:
        return f"{refused.name}: {refused.message}"
    return ""


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("# all", use()),
        ("# all", use(context=None)),
        ('principals = ["arn:aws:iam::123456789012:user/*"]', use()),
        ('principals = ["*"]', use(principal="AWS Internal")),
        ('principals = ["nobody", "AWS I*"]', use(principal="AWS Internal")),
        ('principals = ["credential/??"]', use(principal="credential/AB")),
        ('operations = ["xks.decrypt"]', use()),
        ('accounts = ["123456789012"]\nbuckets = ["evi*"]\nobjects = ["2026/*"]', use()),
        ('buckets = ["other"]', use("xks.metadata", context=None)),
        ('require_reason = ["xks.decrypt"]', use(person="Erika", reason="case 4711")),
        ('require_reason = ["xks.encrypt"]', use()),
        ('[keys.other]\nprincipals = ["nobody"]', use()),
        ('[keys.main]\nprincipals = ["arn:aws:iam::*:user/Alice"]', use()),
        ("rate_per_minute = 1", use()),
        ('hours = { from = "12:00", to = "13:00" }', use()),
        ('hours = { from = "12:00" }', use()),
        ('hours = { days = ["mon"] }', use()),
        ('hours = { from = "13:00", to = "13:01", zone = "Europe/Berlin" }', use()),
        ('hours = { from = "20:00", to = "12:01" }', use()),
        ('hours = { from = "11:59", to = "04:00" }', use()),
    ],
)
def test_what_is_allowed(text, asked):
    assert refusal(text, asked) == ""


@pytest.mark.parametrize(
    ("text", "asked", "rule"),
    [
        ('principals = ["arn:aws:iam::123456789012:user/Bob"]', use(), "principals"),
        ('principals = ["arn:aws:iam::12345678901?:role/*"]', use(), "principals"),
        ('principals = ["arn:aws:iam::*:user/Alice"]', use(principal="arn:aws:iam::1:x:user/Alice"), "principals"),
        ('principals = ["arn:aws:iam::*:user/Alice"]', use(principal="AWS Internal"), "principals"),
        ("principals = []", use(), "principals"),
        ('operations = ["xks.encrypt"]', use(), "operations"),
        ('accounts = ["999999999999"]', use(), "accounts"),
        ('buckets = ["evi"]', use(), "buckets"),
        ('buckets = ["*"]', use(context=None), "buckets"),
        ('buckets = ["*"]', use(context={"account": "123456789012"}), "buckets"),
        ('objects = ["2025/*"]', use(), "objects"),
        ('require_reason = ["xks.decrypt"]', use(), "require_reason"),
        ('require_reason = ["xks.decrypt"]', use(person="Erika"), "require_reason"),
        ('require_reason = ["xks.decrypt"]', use(person="Erika", reason=" "), "require_reason"),
        ('require_reason = ["xks.decrypt"]', use(person="Erika", reason=7), "require_reason"),
        ('[keys.main]\nbuckets = ["other"]', use(), "keys.main: buckets"),
        ('[keys.key-id]\nbuckets = ["other"]', use(), "keys.key-id: buckets"),
        ('hours = { from = "12:01", to = "13:00" }', use(), "hours"),
        ('hours = { from = "11:00", to = "12:00" }', use(), "hours"),
        ('hours = { from = "12:01" }', use(), "hours"),
        ('hours = { days = ["tue", "sun"] }', use(), "hours"),
        ('hours = { from = "12:01", to = "12:00" }', use(), "hours"),
        ('hours = { from = "12:00", to = "13:00", zone = "Europe/Berlin" }', use(), "hours"),
    ],
)
def test_what_is_denied_and_by_which_rule(text, asked, rule):
    assert refusal(text, asked).startswith(f"AccessDeniedException: The policy's {rule} does not allow it: ")


@pytest.mark.parametrize(
    ("hours", "is_allowed"),
    [
        # From Monday's noon on: Monday at 05:00 and 23:00, Tuesday at 05:00, 06:00, 22:00 and 23:00.
        (-7, False),
        (11, True),
        (17, True),
        (18, False),
        (34, False),
        (35, False),
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_begins(hours, is_allowed):
    policy = 'hours = { from = "22:00", to = "06:00", days = ["mon"] }'
    assert (refusal(policy, use(), NOON_MS + hours * HOUR_MS) == "") is is_allowed


def test_a_night_from_sunday_goes_into_monday_and_by_its_zone():
    early_ms = NOON_MS - 7 * HOUR_MS
    assert refusal('hours = { from = "22:00", to = "06:00", days = ["sun"] }', use(), early_ms) == ""
    assert refusal('hours = { from = "22:00", to = "06:00", days = ["sun"], zone = "Europe/Berlin" }', use(), early_ms)


def test_rates_of_file_and_key():
    policy = read_policy("rate_per_minute = 3\n[keys.main]\nrate_per_minute = 2\n")
    policy.admit(use(), KEY, NOON_MS)
    policy.admit(use(), KEY, NOON_MS)
    with pytest.raises(RefusedError, match=r"ThrottlingException: .*keys\.main: rate_per_minute"):
        policy.admit(use(), KEY, NOON_MS)
    with pytest.raises(RefusedError, match=r"ThrottlingException: The policy's rate_per_minute"):
        policy.admit(use(), Key("other", "other", 0, b""), NOON_MS)
    assert policy.names == ["main"]


def test_a_rate_fills_with_time_and_never_beyond_a_minute():
    rate = Rate(60)
    assert all(rate.take(NOON_MS) for _ in range(60))
    assert not rate.take(NOON_MS)
    assert not rate.take(NOON_MS + 900)
    assert rate.take(NOON_MS + 1900)
    assert not rate.take(NOON_MS - HOUR_MS), "a clock that was set back fills nothing"
    later = NOON_MS + HOUR_MS
    assert [rate.take(later) for _ in range(61)] == [True] * 60 + [False]


@pytest.mark.parametrize(
    "text",
    [
        "principals = 7",
        'principals = "arn:aws:iam::1:user/x"',
        "unknown = 1",
        'operations = ["decrypt"]',
        "rate_per_minute = 0",
        "rate_per_minute = true",
        "hours = {}\nhours = {}",
        'hours = { from = "24:00" }',
        'hours = { to = "7:00" }',
        'hours = { zone = "Mars/Olympus" }',
        'hours = { zone = "/etc/passwd" }',
        'hours = { days = ["Monday"] }',
        "[keys.main.more]",
        "[keys]\nmain = 1",
        "{",
    ],
)
def test_policies_that_say_something_unknown(text):
    with pytest.raises((ConfigurationError, PolicyError)):
        read_policy(f"{text}\n")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('require_reason = ["kms.Decrypt"]\n', "require_reason"),
        ('[keys.main]\nrequire_reason = ["xks.decrypt", "kms.GenerateDataKey"]\n', "keys.main: require_reason"),
    ],
)
def test_no_reason_is_demanded_where_none_can_be_told(text, place):
    with pytest.raises(ConfigurationError, match=rf"^{place}: a call of kms\.\w+ has no requestMetadata"):
        read_policy(text)


@pytest.mark.parametrize("text", ["", "\n", " \t\r\n\n"])
def test_an_empty_policy_is_none(text):
    with pytest.raises(ConfigurationError, match="is empty, so nothing is allowed\ntry: a file with a comment"):
        read_policy(text)


def test_a_policy_without_its_end_is_half_of_one():
    whole = 'rate_per_minute = 60\n[keys.main]\nprincipals = ["nobody"]\n'
    read_policy(whole)
    for text in (whole[:-1], whole[:20], whole[:25], "# all"):
        with pytest.raises(ConfigurationError, match="try: end it with a newline"):
            read_policy(text)
