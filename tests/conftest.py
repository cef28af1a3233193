"""What holds for every test: no window is opened, and a property is tried on the same examples each time."""

import os

from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"

# A first call compiles, which is no matter of the example at hand: no deadline.
settings.register_profile("mcvi", derandomize=True, deadline=None)
settings.load_profile("mcvi")
