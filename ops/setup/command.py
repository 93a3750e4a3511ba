"""The command `setup`."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.options import JsonOption, YesOption
from ops.output import Output, seconds


def setup(
    browser: Annotated[
        bool, typer.Option("--browser", help="Also Chromium, for the suite `browser` of `test`.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Provide what deployments need: Docker engine, Pulumi, base image.

    Every other command does this by itself when something is missing.

    Examples:

        ./medianest setup

        ./medianest setup --yes --json

        ./medianest setup --browser
    """
    from ops.up import ensure_setup

    output = Output(as_json)
    report = ensure_setup(output, yes, browser=browser)
    output.document(report.as_json())
    if not as_json:
        print("nothing to do" if report.nothing_to_do else f"set up in {seconds(report.seconds)}")
