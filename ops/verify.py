"""The command `verify`: does what runs fit what was declared?"""

from __future__ import annotations

from ops.errors import ExitCode, OperationError
from ops.options import JsonOption, StackArgument
from ops.output import Output


def verify(stack: StackArgument, as_json: JsonOption = False) -> None:
    """Check a deployed stack against what was declared.

    Runs the toolkit's checks (tests/stack/verify) and those of the stack's settings.

    Examples:

        ./medianest verify staging

        ./medianest verify staging --json
    """
    from ops.project import load_settings
    from ops.session import open_session
    from ops.verification import verify_stack

    output, session = Output(as_json), open_session()
    outputs = session.deployed(stack).outputs
    settings = load_settings(session.project, stack)
    verdicts = verify_stack(session, stack, outputs, settings, output)
    report = {"stack": stack, **verdicts.as_json()}
    output.show(verdicts.table())
    if not verdicts.passed:
        raise OperationError(
            f"stack {stack} is not verified: {verdicts.summary()}",
            f"Look at: ./medianest status {stack}, ./medianest logs {stack}",
            ExitCode.NOT_VERIFIED,
            report,
        )
    output.document(report)
    output.show(f"[bold green]Stack {stack} is verified: {verdicts.summary()}.[/]")
