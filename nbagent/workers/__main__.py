"""`python -m nbagent.workers worker ...` is `nbagent worker ...`."""

import sys

from nbagent.workers.command import main

sys.exit(main())
