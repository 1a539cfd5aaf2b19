"""The same node from the image `rabbitmq:4-management`, by testcontainers. Its ports stay over restarts."""

import subprocess
import tempfile
from pathlib import Path

from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from tests.support.rabbitmq import BOOT, RabbitNode, settings

IMAGE = "rabbitmq:4-management"


def docker_answers() -> bool:
    """Return whether a Docker engine answers and has the image, or may fetch it."""
    try:
        return subprocess.run(["docker", "version"], capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


class ImageNode(RabbitNode):
    """A RabbitMQ 4.x node in a container."""

    def __init__(self) -> None:
        super().__init__()
        testcontainers_config.ryuk_disabled = (
            True  # a reaper image of its own, which a machine without a registry lacks
        )
        self._folder = tempfile.TemporaryDirectory(prefix="rabbitmq-image-")
        conf = Path(self._folder.name, "90-sluice.conf")
        conf.write_text(
            settings(default_user=self.user, default_pass=self.password, disk_free_limit__absolute="50MB")
            + "loopback_users.guest = false\n"
        )
        conf.chmod(0o644)
        Path(self._folder.name).chmod(0o755)
        self._container = (
            DockerContainer(IMAGE)
            .with_bind_ports(5672, self.amqp_port)
            .with_bind_ports(15672, self.management_port)
            .with_volume_mapping(str(conf), "/etc/rabbitmq/conf.d/90-sluice.conf", "ro")
            .with_kwargs(hostname="rabbit")
        )
        self._id: str | None = None

    def start(self) -> None:
        if self._id is None:
            self._container.start()
            self._id = self._container.get_wrapped_container().id
        else:
            self._docker("start")
        self.wait_until_serving()

    def stop(self) -> None:
        self._docker("stop", "--time", "60")

    def kill(self) -> None:
        self.resume()
        self._docker("kill")

    def pause(self) -> None:
        self._docker("pause")
        self.paused = True

    def resume(self) -> None:
        if self.paused:
            self._docker("unpause")
        self.paused = False

    def ctl(self, *args: str) -> str:
        return self._docker("exec", command=("/usr/lib/rabbitmq/bin/rabbitmqctl", *args))

    def log(self) -> str:
        return self._docker("logs") if self._id is not None else ""

    def running(self) -> bool:
        if self._id is None:
            return False
        return self._docker("inspect", "--format", "{{.State.Running}}").strip() == "true"

    def close(self) -> None:
        if self._id is not None:
            self._docker("rm", "--force", "--volumes")
            self._id = None
        self._folder.cleanup()

    def _docker(self, verb: str, *options: str, command: tuple[str, ...] = ()) -> str:
        assert self._id is not None
        line = ["docker", verb, *options, self._id, *command]
        done = subprocess.run(line, capture_output=True, text=True, timeout=BOOT, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(line)}: {done.stdout}{done.stderr}")
        return done.stdout
