"""A program of its own that builds a stack's backend from nothing, to see how long that takes.

Run by `./medianest health STACK --build` with a state that is thrown away; the image is removed then.
"""

from __future__ import annotations

import os
from pathlib import Path

import pulumi

import components
from components.build_context import TRIAL_OWNER_VARIABLE
from components.configuration import read_settings
from components.images import BackendImage
from components.stack import Stack

if __name__ == "__main__":
    stack = Stack(
        pulumi.get_project(),
        pulumi.get_stack(),
        Path(components.__file__).parents[1],
        read_settings(pulumi.get_project()),
        pulumi.Output.from_input(os.environ[TRIAL_OWNER_VARIABLE]),
    )
    pulumi.export("image", BackendImage(stack, trial=True).id)
