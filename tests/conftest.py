"""What every test runs under."""

from hypothesis import settings

settings.register_profile("house", deadline=None, max_examples=60, print_blob=True)
settings.load_profile("house")
