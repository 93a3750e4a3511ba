"""`python -m medianest`: serve until SIGTERM. `python -m medianest user …`: see user_command."""

import os
import sys

if __name__ == "__main__":
    if sys.argv[1:2] == ["user"]:
        from medianest import user_command

        sys.exit(user_command.main(sys.argv[2:], os.environ))
    from medianest.server import main

    sys.exit(main(os.environ))
