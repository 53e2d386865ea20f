"""Policies: both evaluators asked about millions of generated requests, on every core."""

import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.property.policy_cases import compare

PAIRS_PER_SEED = 50_000


def run(seed: int, pairs: int) -> tuple[list[str], list[str]]:
    """Compare at least `pairs`; return what was compared, and what the evaluators disagree on."""
    seeds = range(seed * 1000, seed * 1000 + -(-pairs // PAIRS_PER_SEED))
    with ProcessPoolExecutor(os.cpu_count()) as cores:
        differences = [one for found in cores.map(partial(compare, pairs=PAIRS_PER_SEED), seeds) for one in found]
    return [
        f"{len(seeds) * PAIRS_PER_SEED:,} generated pairs of policies and request, {len(differences)} answered differently"
    ], differences
