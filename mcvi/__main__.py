"""``python -m mcvi`` is the console script ``mcvi``."""

import sys

from mcvi.cli import main

sys.exit(main())
