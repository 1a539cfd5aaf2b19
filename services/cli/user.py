"""`sluice user …`: who may authenticate."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from services.cli.common import ConfigOption, extra, load_config
from shared.config.model import Config
from shared.errors import ConfigError, SluiceError

app = typer.Typer(no_args_is_help=True, help="Users who may send after authenticating.")

Name = Annotated[str, typer.Argument(help="The name to authenticate with, mostly a mailbox.")]


def _file(config: Config) -> Path:
    if config.auth.users_file is None:
        raise ConfigError('auth.users_file: not set: name a file, such as users_file = "users"')
    return Path(config.auth.users_file)


@app.command()
def add(
    name: Name,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input, one line.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Add a user, or give one a new password; asks for it.

    Example: `pwgen 16 1 | sluice user add alice@example.org --password-stdin`
    """
    file = _file(load_config(config))
    with extra("ingress"):
        from services.ingress.auth.users import add_user
    new = add_user(file, name, _password(from_stdin=password_stdin))
    typer.echo(f"{name}: {'added' if new else 'password changed'}")


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise SluiceError("no terminal to ask for the password: give it on standard input with --password-stdin")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


@app.command()
def remove(name: Name, config: ConfigOption = None) -> None:
    """Remove a user; takes effect with the next authentication.

    Example: `sluice user remove alice@example.org`
    """
    file = _file(load_config(config))
    with extra("ingress"):
        from services.ingress.auth.users import remove_user
    if not remove_user(file, name):
        raise SluiceError(f'user "{name}": not in {file}; see: sluice user list')
    typer.echo(f"{name}: removed")


@app.command("list")
def list_names(config: ConfigOption = None) -> None:
    """List the names, one a line, and which of them SCRAM-SHA-256 does not work for until they get a new password."""
    file = _file(load_config(config))
    with extra("ingress"):
        from services.ingress.auth.users import list_users
    for name, user in list_users(file).items():
        typer.echo(name if user.keys else f"{name}  (no SCRAM keys)")
