"""``python -m convert.card``."""

import sys

from convert.card.cli import main

sys.exit(main())
