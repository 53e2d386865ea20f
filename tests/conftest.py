"""What holds for all tests: nothing is judged by how long it took, since machines are shared and noisy."""

from hypothesis import settings

settings.register_profile("siegel", deadline=None)
settings.load_profile("siegel")
