"""Images once a session, one running project for the tests that share it."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.compose.project import IMAGES, ROOT, TAG, Project, project


def _docker_answers() -> bool:
    commands = (["docker", "version"], ["docker", "compose", "version"])
    try:
        return all(subprocess.run(command, capture_output=True, check=False).returncode == 0 for command in commands)
    except FileNotFoundError:
        return False


@pytest.fixture(scope="session")
def images() -> Iterator[None]:
    """Build the four images, and remove their names at the end (the layers stay cached)."""
    if not _docker_answers():
        reason = "no Docker engine with the compose plugin answers"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    environment = os.environ | {"TAG": TAG}
    command = ["docker", "compose", "--profile", "tools", "build", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    yield
    subprocess.run(["docker", "image", "rm", *IMAGES], capture_output=True, check=True)


@pytest.fixture(scope="session")
def relay(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project that is up; a test that stops something starts it again."""
    with project(tmp_path_factory.mktemp("compose") / "sink") as running:
        running.up()
        yield running


@pytest.fixture(scope="session")
def admin(relay: Project) -> str:
    """The password of RabbitMQ's administrator."""
    return relay.password("admin")
