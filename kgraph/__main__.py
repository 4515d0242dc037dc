"""`python -m kgraph` is the command line."""

import sys

from kgraph.tools.cli import main

sys.exit(main())
