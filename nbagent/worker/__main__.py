"""`python -m nbagent.worker worker ...` is `nbagent worker ...`."""

import sys

from nbagent.worker.command import main

sys.exit(main())
