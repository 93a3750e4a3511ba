"""One guarded stack with a real Prometheus, and one browser, for all of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest
from docker.models.containers import Container
from selenium.webdriver import Chrome

from components.guardian import DASHBOARD_PORT
from components.monitoring.scraping import GUARDIAN_PORT, PROMETHEUS_PORT
from tests.browser.driver import Page, chromium
from tests.guardian.guarded import PASSWORD, Guarded, guarded
from tests.harness.built_images import BuiltImages, build_images
from tests.harness.volume_files import File

CONFIGURATION = f"""
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
scrape_configs:
  - job_name: guardian
    static_configs: [{{targets: ["guardian:{GUARDIAN_PORT}"]}}]
rule_files: [rules.yml]
"""
# One that is always about to fire.
RULES = """
groups:
  - name: test
    rules:
      - {alert: AboutToFire, expr: vector(1), for: 1h, labels: {severity: warning, component: backend}}
"""
SERVICES = ("gateway", "postgres", "redis")


def start_prometheus(stack: Guarded, image: str) -> Container:
    files = {"prometheus.yml": File(CONFIGURATION), "rules.yml": File(RULES)}
    configuration = stack.engine.files(image, files, "/etc/prometheus")
    data = stack.engine.volume()
    return stack.engine.start(
        image,
        volumes={"/etc/prometheus:ro": str(configuration.name), "/var/lib/prometheus": str(data.name)},
        tmpfs={"/run/prometheus": "rw,size=4m,uid=9090,gid=9090,mode=0750"},
        network=stack.inner,
        alias="prometheus",
    )


@pytest.fixture(scope="session")
def images() -> BuiltImages:
    return build_images()


@pytest.fixture(scope="session")
def prometheus(stack: Guarded, images: BuiltImages) -> Container:
    return start_prometheus(stack, images.prometheus)


@pytest.fixture(scope="session")
def stack(images: BuiltImages) -> Iterator[Guarded]:
    """Two backends, and what a stack cannot be without."""
    client = docker.from_env()
    prometheus = f"http://prometheus:{PROMETHEUS_PORT}"
    with guarded(client, images.guardian, dashboard_port=DASHBOARD_PORT, prometheus=prometheus) as made:
        for service in SERVICES:
            made.start(service)
        for _ in range(2):
            made.start("backend", release="0123456789ab")
        yield made
    client.close()


@pytest.fixture(scope="session")
def driver() -> Iterator[Chrome]:
    with chromium() as driver:
        yield driver


@pytest.fixture
def page(driver: Chrome, stack: Guarded, prometheus: Container) -> Page:
    """A window where nobody is logged in."""
    page = Page(driver, stack.dashboard)
    page.look()
    page.open("/login")
    driver.delete_all_cookies()
    return page


@pytest.fixture
def dashboard(page: Page) -> Page:
    """Logged in, with the stack well."""
    page.log_in(PASSWORD)
    page.until(lambda: page.word() == "well", "the stack is well", 60)
    return page
