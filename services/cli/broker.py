"""`sluice broker …`: RabbitMQ's exchanges, queues, policies and users, made and compared by an administrator."""

from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

import typer
from rich.console import Console
from rich.text import Text

from services.cli.common import FAILED, ConfigOption, console, load_config, run, table
from shared.broker import admin
from shared.broker.adapters import is_embedded, service_password
from shared.broker.topology import QUARANTINE_INDEX, Limits, User
from shared.config.model import Config
from shared.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="RabbitMQ's topology, with the administrator's access, `[broker_admin]`.")


@app.command()
def apply(config: ConfigOption = None) -> None:
    """Create what is missing, correct what differs, then verify; safe to repeat.

    Exit status 1 if a difference remains that mail depends on. Example: `sluice broker apply --config sluice.toml`
    """
    loaded = load_config(config)
    target = _target(loaded)
    passwords = {user: service_password(loaded, user) for user in User}
    with Console(stderr=True).status("applying") as status:
        differences = run(admin.apply(target, passwords, _limits(loaded), lambda step: status.update(Text(step))))
    if differences and all(difference.what.endswith(QUARANTINE_INDEX) for difference in differences):
        _show(differences)
        console().print(f"All that mail depends on: applied and verified. {QUARANTINE_INDEX} is only a copy of what")
        console().print("the quarantine's buckets hold; docs/operations.md says what a broken one means.")
        return
    _report(differences, "applied and verified")


@app.command()
def check(config: ConfigOption = None) -> None:
    """Compare and change nothing; exit status 1 if anything differs.

    Example: `sluice broker check`
    """
    loaded = load_config(config)
    _report(run(admin.check(_target(loaded), _limits(loaded))), "as they must be")


def _report(differences: Sequence[admin.Difference], good: str) -> None:
    if not differences:
        console().print(f"Exchanges, queues, bindings, policies and users: {good}.")
        return
    _show(differences)
    raise typer.Exit(FAILED)


def _show(differences: Sequence[admin.Difference]) -> None:
    shown = table("what", "expected", "found", "remedy")
    for difference in differences:
        texts = (difference.what, difference.expected, difference.found, difference.remedy)
        shown.add_row(*(Text(text) for text in texts))
    console().print(shown)


def _target(config: Config) -> admin.Target:
    """Return where the administrator logs in, and the virtual host of the broker's URL."""
    if is_embedded(config):
        raise ConfigError("broker: the embedded broker needs no administration; this command is for amqp:// URLs")
    access = config.broker_admin
    if access.password is None:
        raise ConfigError("broker_admin.password: not set: give it, or the file that holds it as password_file")
    vhost = unquote(urlsplit(config.broker).path.removeprefix("/")) or "/"
    return admin.Target(access.url, access.user, access.password, vhost)


def _limits(config: Config) -> Limits:
    return Limits(work_bytes=config.broker_admin.work_bytes, retention=int(config.quarantine.retention))
