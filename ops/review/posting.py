"""What `--post` adds to a command that makes plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ops.errors import ExitCode
from ops.output import Output, report_error
from ops.plan.model import StackPlan
from ops.review.choices import Host, OnDanger
from ops.review.errors import PostError
from ops.review.place import find_place


@dataclass(frozen=True)
class Posting:
    """Where and how plans are posted. `number` is None where the environment names the pull request."""

    host: Host
    number: int | None
    on_danger: OnDanger
    environment: Mapping[str, str]
    output: Output

    def check(self) -> None:
        """Raises PostError for what is missing, before time is spent on a preview."""
        find_place(self.host, self.environment, self.number, lambda _: None)

    def send(self, plans: Sequence[StackPlan]) -> int:
        """Post, and return what that adds to the exit code: 0, or that it failed. Says which it was."""
        from ops.plan.markdown import render
        from ops.review.post import post

        try:
            posted = post(
                plans,
                self.host,
                self.environment,
                self.output.progress,
                number=self.number,
                on_danger=self.on_danger,
                render=render,
            )
        except PostError as error:
            self.output.progress("The preview is done, but could not be posted.")
            # The document of --json has been printed: there is only one.
            report_error(error, as_json=False)
            return int(ExitCode.NOT_POSTED)
        for missed in posted.missed:
            self.output.progress(f"Not posted: {missed}")
        self.output.progress(f"Posted: {posted.url}")
        return 0
