"""The base image, made for real on the engine, from whatever source this machine can reach."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator

import pytest
from docker import DockerClient
from docker.models.images import Image
from rich.console import Console

from ops.setup.debian_image import MAKING, BaseImageMaker
from ops.setup.display import Display
from ops.setup.engine_api import connect
from ops.setup.packages import read_system
from ops.setup.work import Work

from .conftest import ROOT

pytestmark = pytest.mark.slow
NAME = f"medianest/base:test-{os.getpid()}"


@pytest.fixture(scope="module")
def client() -> Iterator[DockerClient]:
    client = connect()
    yield client
    client.close()


@pytest.fixture(scope="module")
def image(client: DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    scratch = tmp_path_factory.mktemp("scratch")
    with Display(Console(file=io.StringIO())) as display, (scratch / "log").open("w") as log:
        BaseImageMaker(Work(log, display), ROOT / "images" / "base", scratch, read_system()).make(NAME)
    yield client.images.get(NAME)
    client.images.remove(NAME)


def run(client: DockerClient, script: str) -> str:
    said: bytes = client.containers.run(NAME, ["bash", "-c", script], remove=True, stderr=True)
    return said.decode()


def test_it_is_small_and_has_one_layer(image: Image) -> None:
    assert image.attrs["Size"] < 78_000_000
    assert len(image.attrs["RootFS"]["Layers"]) == 1


def test_it_is_marked_as_ours_and_can_be_started(image: Image, client: DockerClient) -> None:
    assert image.labels == {"medianest.component": "base"}
    assert "trixie" in run(client, "cat /etc/os-release")


@pytest.mark.usefixtures("image")
def test_no_program_can_make_its_user_root(client: DockerClient) -> None:
    assert run(client, "find / -xdev -type f -perm /6000") == ""


@pytest.mark.usefixtures("image")
def test_the_recipe_and_what_no_container_reads_are_not_in_it(client: DockerClient) -> None:
    found = run(
        client,
        "ls -d /recipe /etc/dpkg/dpkg.cfg.d/99mmdebstrap 2>/dev/null;"
        " find /usr/share/{man,info,locale} /var/lib/apt/lists /var/cache/apt /var/log -type f;"
        " find /usr/share/doc -type f ! -name copyright",
    )
    assert found == ""
    assert run(client, "find /usr/share/doc -name copyright | wc -l").strip() != "0"


@pytest.mark.usefixtures("image")
def test_packages_can_be_installed_and_bring_no_manual(client: DockerClient) -> None:
    said = run(
        client,
        "apt-get update -qq && apt-get install -y -qq --no-install-recommends less >/dev/null 2>&1"
        " && less --version | head -1 && find /usr/share/man -type f",
    )
    assert said.startswith("less ")
    assert "/usr/share/man" not in said


SERVER = """
use IO::Socket::INET;
my $server = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1", LocalPort => 8080) or die;
while (my $client = $server->accept) {
  my $request = <$client>;
  while (<$client>) { last if /^\\s*$/ }
  my $status = $request =~ m{GET /good } ? "200 OK" : "503 Service Unavailable";
  sleep 5 if $request =~ m{GET /slow };
  print $client "HTTP/1.1 $status\\r\\n\\r\\n"; close $client;
}
"""


@pytest.mark.usefixtures("image")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [("8080 /good", 0), ("8080 /bad", 1), ("8080 /slow", 1), ("8081 /good", 1), ("8080", 2), ("", 2)],
)
def test_the_probe_tells_health(client: DockerClient, arguments: str, code: int) -> None:
    script = (
        f"perl -e '{SERVER}' & sleep 0.5; timeout 4 http-probe {arguments} >/dev/null 2>&1; echo $?; kill $!"
    )
    assert run(client, script).strip() == str(code)


@pytest.mark.usefixtures("image")
def test_nothing_is_left_of_the_making(client: DockerClient) -> None:
    label = [f"{key}={value}" for key, value in MAKING.items()]
    assert client.containers.list(all=True, ignore_removed=True, filters={"label": label}) == []
    assert client.images.list("medianest/base-source") == []
