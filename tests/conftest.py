"""Settings for all tests."""

from hypothesis import settings

# How long an example takes says something about the machine, not about the code.
settings.register_profile("holdfast", deadline=None, print_blob=True)
settings.load_profile("holdfast")
