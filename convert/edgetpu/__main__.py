"""``python -m convert.edgetpu``."""

import sys

from convert.edgetpu.cli import main

sys.exit(main())
