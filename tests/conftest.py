"""What every test runs under."""

from hypothesis import settings

settings.register_profile("house", deadline=None, max_examples=40, print_blob=True)
settings.load_profile("house")
