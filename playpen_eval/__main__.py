"""`python -m playpen_eval` is the command line."""

import sys

from playpen_eval.cli import main

sys.exit(main())
