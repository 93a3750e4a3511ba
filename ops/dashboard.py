"""The command `dashboard`: where it is, and how its password is read."""

from __future__ import annotations

from typing import Any

from ops.errors import OperationError
from ops.options import JsonOption, StackArgument
from ops.output import Output


def dashboard(stack: StackArgument, as_json: JsonOption = False) -> None:
    """Say where a stack's dashboard is, and how to read its password. The password itself is not shown.

    Examples:

        ./medianest dashboard staging

        ./medianest dashboard staging --json
    """
    from ops.session import open_session

    output, session = Output(as_json), open_session()
    found = where(stack, session.deployed(stack).outputs)
    output.document({"stack": stack, **found})
    output.show(f"{found['url']}\nThe password: {found['password_command']}")


def where(stack: str, outputs: dict[str, Any]) -> dict[str, str]:
    """The address and the command that prints the password. Raises OperationError where there is none."""
    from components.settings import DASHBOARD_PASSWORD, SECRETS_DIRECTORY

    if not outputs.get("dashboard"):
        raise OperationError(
            f"stack {stack} publishes no dashboard",
            f"Set medianest:guardian: {{dashboard: {{port: 3100}}}} in Pulumi.{stack}.yaml, where "
            f"medianest:monitoring is enabled. Then: ./medianest up {stack}. In this terminal: "
            f"./medianest watch {stack}",
        )
    (guardian,) = outputs["containers"]["guardian"]
    return {
        "url": str(outputs["dashboard"]),
        "password_command": f"docker exec {guardian} cat {SECRETS_DIRECTORY}/{DASHBOARD_PASSWORD}",
    }
