"""`python -m medianest`: serve until SIGTERM. `python -m medianest user …` and `… seed`: see user_command
and seed_command."""

import os
import sys

if __name__ == "__main__":
    if sys.argv[1:2] == ["user"]:
        from medianest import user_command

        sys.exit(user_command.main(sys.argv[2:], os.environ))
    if sys.argv[1:] == ["seed"]:
        from medianest import seed_command

        sys.exit(seed_command.main(os.environ))
    from medianest.server import main

    sys.exit(main(os.environ))
