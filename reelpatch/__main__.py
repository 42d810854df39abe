"""`python -m reelpatch` is the command `reelpatch`."""

import sys

from reelpatch.headless.commands.main import main

sys.exit(main())
