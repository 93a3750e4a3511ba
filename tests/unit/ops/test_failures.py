"""Messages of the provider, the engine and Pulumi, as they were seen, put into words."""

from __future__ import annotations

import pytest

from ops.errors import ExitCode
from ops.evidence import ContainerEvidence
from ops.failures import Cause, explain, failing_step

BUILD = "Error running buildx build: failed to solve: "
FRONTEND = f"{BUILD}rpc error: code = Unknown desc = failed to solve with frontend dockerfile.v0: "
START = "Unable to start container: Error response from daemon: "
PULL = "Unable to read Docker image into resource: unable to pull image library/none:1: error pulling image "
RUNC = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container "
ENDPOINT = "driver failed programming external connectivity on endpoint web (8c22): "
CREATE = "Unable to create container: Error response from daemon: "
NETWORK = "Unable to create network: Error response from daemon: "
EXCEPTION = "Program failed with an unhandled exception:\nTraceback (most recent call last):\n"
SHORT = "secret jwt_secret is too short: it needs at least 32 characters"
LOOKUP = "dial tcp: lookup registry-1.docker.io on 192.0.2.53:53: no such host"

SEEN = [
    (
        'resource "urn:pulumi:s::p::a$docker:index/volume:Volume::redis-data" cannot be deleted\n'
        "because it is protected. To unprotect the resource, either remove the `protect` flag",
        "redis-data holds data and is protected: nothing deletes or replaces it",
    ),
    (
        'unable to replace resource "urn:pulumi:s::p::a$docker:index/volume:Volume::postgres-data"\n'
        "as it is currently marked for protection. To unprotect the resource, remove the `protect` flag",
        "postgres-data holds data and is protected: nothing deletes or replaces it",
    ),
    (
        f'{BUILD}executor failed running [/bin/sh -c echo "it breaks" && cat /no/such/file]: exit code: 1',
        'the build of web failed in the step `echo "it breaks" && cat /no/such/file` with exit code 1',
    ),
    (
        f'{BUILD}process "/bin/sh -c apt-get install nothing" did not complete successfully: exit code: 100',
        "the build of web failed in the step `apt-get install nothing` with exit code 100",
    ),
    (
        f"{FRONTEND}failed to create LLB definition: "
        "dockerfile parse error line 2: unknown instruction: RUNN",
        "the Dockerfile of web is wrong in line 2: unknown instruction: RUNN",
    ),
    (
        f'{BUILD}failed to compute cache key: "/nothere.txt" not found: not found',
        "the build of web copies /nothere.txt, which is not in the build context",
    ),
    (
        f"{FRONTEND}failed to create LLB definition: target stage nope could not be found",
        "the Dockerfile of web has no stage nope",
    ),
    (
        "Error mapping build attributes: error resolving dockerfile path: dockerfile not found at path: "
        "/project/app/Nope.Dockerfile",
        "the Dockerfile of web is not there: /project/app/Nope.Dockerfile",
    ),
    (
        f"{FRONTEND}failed to create LLB definition: failed to do request: "
        f'Head "https://registry-1.docker.io/v2/medianest/nonexistent/manifests/1": {LOOKUP}',
        "no image for web: the registry registry-1.docker.io cannot be reached",
    ),
    (
        f'{PULL}library/none:1: Error response from daemon: Get "https://registry-1.docker.io/v2/": {LOOKUP}',
        "no image for web: the registry registry-1.docker.io cannot be reached",
    ),
    (
        "Error response from daemon: pull access denied for nobody/nothing, repository does not exist",
        "the image of web is not in its registry: nobody/nothing",
    ),
    ("container failed to be in healthy state", "web did not get healthy in time"),
    (
        f"{START}{ENDPOINT}Error starting "
        "userland proxy: listen tcp4 127.0.0.1:39991: bind: address already in use",
        "port 39991 of 127.0.0.1 is taken, web cannot be published",
    ),
    (
        f"{START}{ENDPOINT}Bind for 127.0.0.1:39555 failed: port is already allocated",
        "port 39555 of 127.0.0.1 is taken by another container, web cannot be published",
    ),
    (
        f"{START}{ENDPOINT}Error starting "
        "userland proxy: listen tcp4 198.51.100.9:39555: bind: cannot assign requested address",
        "the address that web is to be published on is not one of this host",
    ),
    (
        f"{START}{RUNC}"
        'process: exec: "/no/such/binary": stat /no/such/binary: no such file or directory: unknown',
        "web cannot start: its image has no command /no/such/binary",
    ),
    (
        f'{CREATE}Conflict. The container name "/other" is already '
        'in use by container "f5c5858ab04d". You have to remove (or rename) that container.',
        "a container named other is there already, made by somebody else",
    ),
    (f"{START}network stack-data not found", "network stack-data of web is gone: somebody removed it"),
    (
        f"{NETWORK}Pool overlaps with other one on this address space",
        "the engine has no address range left for network web",
    ),
    (
        f"{CREATE}Minimum memory limit allowed is 6MB",
        "the memory limit of web is below the engine's minimum of 6MB",
    ),
    (
        "pre-step event returned an error: failed to save snapshot: An IO error occurred while writing the "
        'new snapshot file: blob (key ".pulumi/stacks/p/s.json") (code=Unknown): write '
        "/home/ada/.local/state/medianest/pulumi/.pulumi/stacks/p/s.json.18eb037c2285fbd3.tmp: "
        "no space left on device",
        "the disk that holds Pulumi's state is full: /home/ada/.local/state/medianest/pulumi",
    ),
    (
        f"{BUILD}failed to copy: write /var/lib/docker/overlay2/x: no space left on device",
        "the disk is full",
    ),
    (
        "error pinging Docker server: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. "
        "Is the docker daemon running?",
        "the Docker engine went away during the update",
    ),
]


@pytest.mark.parametrize(("message", "words"), SEEN)
def test_a_known_cause_is_put_into_words_with_what_to_do(message: str, words: str) -> None:
    explanation = explain(Cause(message, "web", "Container"))
    assert explanation.message == words
    assert explanation.hint


@pytest.mark.parametrize(
    ("message", "words", "code"),
    [
        (
            "getting stack configuration: get stack secrets manager: incorrect passphrase",
            "the passphrase is not the one that the stack's secrets were encrypted with",
            ExitCode.REFUSED,
        ),
        (
            "getting stack configuration: get stack secrets manager: unable to read "
            "PULUMI_CONFIG_PASSPHRASE_FILE: open /gone: no such file or directory",
            "the passphrase file /gone cannot be read",
            ExitCode.REFUSED,
        ),
        (
            "the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end",
            "the stack is being changed by another run",
            ExitCode.REFUSED,
        ),
        (
            f"{EXCEPTION}"
            '  File "/project/__main__.py", line 22, in <module>\n    settings = read_settings(project)\n'
            f"components.settings.SettingsError: {SHORT}",
            f"the settings cannot be used: {SHORT}",
            ExitCode.USAGE,
        ),
        (
            f'{EXCEPTION}  File "/project/__main__.py", line 25, in <module>\nValueError: my program fails',
            "the Pulumi program failed: ValueError: my program fails",
            ExitCode.FAILED,
        ),
        (
            "Exception calling application: stack demo is on this engine already, but this state did not "
            "make it: container a, volume b. Use the state that made it (PULUMI_BACKEND_URL), or another.",
            "the stack is on this engine already, made by another state: container a, volume b",
            ExitCode.REFUSED,
        ),
    ],
)
def test_a_failure_of_the_whole_run_has_its_exit_code(message: str, words: str, code: ExitCode) -> None:
    explanation = explain(Cause(message))
    assert (explanation.message, explanation.code) == (words, code)


def test_an_unknown_cause_is_handed_on_as_it_is() -> None:
    explanation = explain(Cause("the moon is full", "web"))
    assert explanation.message == "web failed: the moon is full"
    assert explanation.code is ExitCode.FAILED


def test_braces_in_a_message_are_no_template() -> None:
    message = f"{BUILD}executor failed running [/bin/sh -c echo {{0}} ${{what}}]: exit code: 2"
    assert "`echo {0} ${what}`" in explain(Cause(message, "web")).message


NEVER_HEALTHY = Cause("container failed to be in healthy state", "web", "Container")


def test_the_evidence_of_a_container_that_never_got_healthy_is_shown() -> None:
    evidence = ContainerEvidence(
        name="s-web-1",
        status="exited",
        exit_code=3,
        out_of_memory=False,
        restarts=4,
        health_output="no answer\n",
        health_exit_code=1,
        log=["starting", "secret is missing"],
    )
    message = explain(NEVER_HEALTHY, evidence).message
    assert "container s-web-1 is exited, exit code 3, restarted 4 times" in message
    assert "its health check: exit code 1, no answer" in message
    assert message.endswith("    starting\n    secret is missing")


def test_a_container_that_was_given_up_has_a_cause_of_its_own() -> None:
    gone = Cause("Error: No such container: 3f2a", "web", "Container")
    evidence = ContainerEvidence(
        "s-web-1", "exited", 1, False, 1, "", 0, ["no"], "exits as soon as it starts"
    )
    explanation = explain(gone, evidence)
    assert explanation.message.startswith("web exits as soon as it starts\n")
    assert "serves on" in explanation.hint


def test_a_container_without_a_log_says_so() -> None:
    evidence = ContainerEvidence("s-web-1", "unhealthy", 0, False, 0, "", 0, [])
    assert explain(NEVER_HEALTHY, evidence).message.endswith("its log is empty")


def test_too_little_memory_is_named_as_the_cause() -> None:
    evidence = ContainerEvidence("s-web-1", "exited", 137, True, 1, "", 0, [])
    assert "killed because it used more memory than its limit" in explain(NEVER_HEALTHY, evidence).message


BUILD_LOG = """\
#5 [base 2/2] RUN echo building && sleep 1
#5 CACHED

#6 [production 1/1] RUN echo "now it breaks" && cat /no/such/file
#6 0.450 now it breaks
#6 0.452 cat: /no/such/file: No such file or directory
#6 ERROR: executor failed running [/bin/sh -c echo "now it breaks" && cat /no/such/file]: exit code: 1
------
 > [production 1/1] RUN echo "now it breaks" && cat /no/such/file:
0.450 now it breaks
0.452 cat: /no/such/file: No such file or directory
------
"""


def test_the_failing_step_is_found_in_the_log_of_a_build() -> None:
    assert failing_step(BUILD_LOG) == [
        ' > [production 1/1] RUN echo "now it breaks" && cat /no/such/file:',
        "0.450 now it breaks",
        "0.452 cat: /no/such/file: No such file or directory",
    ]


def test_a_build_that_failed_before_any_step_has_no_failing_step() -> None:
    assert failing_step("#1 [internal] load build definition\n#1 DONE 0.0s\n") == []
