"""`python -m reelpatch` is the command `reelpatch`."""

import sys

from reelpatch.headless.cli import main

sys.exit(main())
