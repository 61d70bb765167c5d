"""Settings of all tests."""

from hypothesis import settings

# a test's time says something about the machine, not about the program
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
