"""The command `setup`."""

from __future__ import annotations

from ops.options import JsonOption, YesOption
from ops.output import Output, seconds


def setup(yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Provide what deployments need: Docker engine, Pulumi, base image.

    Every other command does this by itself when something is missing.

    Examples:

        ./medianest setup

        ./medianest setup --yes --json
    """
    from ops.setup.run import ensure

    output = Output(as_json)
    report = ensure(output.console(), assume_yes=yes)
    output.document(report.as_json())
    if not as_json:
        print("nothing to do" if report.nothing_to_do else f"set up in {seconds(report.seconds)}")
