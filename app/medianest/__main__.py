"""`python -m medianest`: serve until SIGTERM."""

import os
import sys

from medianest.server import main

if __name__ == "__main__":
    sys.exit(main(os.environ))
