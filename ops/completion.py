"""The command `completion`, and the names that shells complete.

A shell asks the command itself, with the words so far in the environment: the form is Typer's
(https://typer.tiangolo.com/tutorial/options-autocompletion/).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import typer

# Set by the scripts below; the front door looks at it as well.
VARIABLE = "_MEDIANEST_COMPLETE"


class Shell(StrEnum):
    """Shells whose completion is known."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


# Each asks the command as it was typed, so that ./medianest of this checkout and of another both answer.
SCRIPTS = {
    Shell.BASH: """\
_medianest_completion() {
  local IFS=$'\\n'
  COMPREPLY=($(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD _MEDIANEST_COMPLETE=complete_bash \\
    "$1" 2>/dev/null))
}
complete -o default -F _medianest_completion medianest""",
    Shell.ZSH: """\
#compdef medianest
_medianest_completion() {
  eval "$(_TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _MEDIANEST_COMPLETE=complete_zsh \\
    ${words[1]} 2>/dev/null)"
}
compdef _medianest_completion medianest""",
    Shell.FISH: """\
function __medianest_completion
  set -l command (commandline -opc)[1]
  env _MEDIANEST_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args \\
    _TYPER_COMPLETE_ARGS=(commandline -cp) $command 2>/dev/null
end
complete --command medianest --no-files --arguments '(__medianest_completion)'""",
}


def completion(shell: Annotated[Shell, typer.Argument(help="The shell that is to complete.")]) -> None:
    """Print what makes a shell complete commands, options and names of stacks.

    Examples:

        eval "$(./medianest completion bash)"

        ./medianest completion zsh >> ~/.zshrc

        ./medianest completion fish > ~/.config/fish/completions/medianest.fish
    """
    print(SCRIPTS[shell])


def answer_shells() -> None:
    """Make Typer know the shells, where one of them asks."""
    if VARIABLE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()


def stacks(incomplete: str) -> list[str]:
    """Stacks with settings in this checkout, or with a state of this user's."""
    from ops.environment import backend_url
    from ops.errors import OperationError
    from ops.paths import project_root, state_directory
    from ops.project import read_project
    from ops.state import FileBackend

    try:
        project = read_project(project_root())
        files = FileBackend.from_url(backend_url(os.environ, state_directory()))
        known = {*project.stacks(), *(files.stacks(project.name) if files else ())}
    except (OSError, OperationError):
        return []
    return beginning(known, incomplete)


def components(incomplete: str) -> list[str]:
    """The components that every stack has."""
    return beginning(("backend", "gateway", "postgres", "redis"), incomplete)


def suites(incomplete: str) -> list[str]:
    """The suites of `test`."""
    from ops.suites import suites as known

    return beginning((suite.name for suite in known()), incomplete)


def beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
