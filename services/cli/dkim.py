"""`sluice dkim …`: keys to sign mail with, and the DNS records that let others verify it."""

import os
from pathlib import Path
from typing import Annotated

import typer

from services.cli.common import ConfigOption, extra, load_config
from shared.config.kinds import domain as domain_name
from shared.config.kinds import selector as selector_name
from shared.errors import ConfigError, SluiceError

app = typer.Typer(no_args_is_help=True, help="Keys that sign mail (DKIM, ARC), and their DNS records.")


@app.command()
def key(
    file: Annotated[Path, typer.Argument(help="Where to write the private key; must not exist.")],
    domain: Annotated[str, typer.Option("--domain", "-d", help="The domain that signs.")],
    selector: Annotated[str, typer.Option("--selector", "-s", help="A name for this key, such as its year.")],
    algorithm: Annotated[str, typer.Option("--algorithm", "-a", help="rsa (2048 bits) or ed25519.")] = "rsa",
) -> None:
    """Make a private key, readable by this user only, and print the DNS record for it and the lines for sluice.toml.

    Example: `sluice dkim key dkim.pem --domain example.org --selector s2026`
    """
    with extra("delivery"):
        from services.delivery.signing.keys import SigningKey, make_key, read_key, zone_line
    if algorithm not in {"rsa", "ed25519"}:
        raise ConfigError(f'--algorithm: "{algorithm}" is not known: valid are rsa, ed25519')
    try:
        names = (domain_name(domain), selector_name(selector))
    except ValueError as error:
        raise ConfigError(str(error)) from None
    _write(file, make_key(algorithm))
    made = SigningKey(*names, read_key("key", str(file)))
    typer.echo("For DNS, before the key is used:")
    typer.echo(zone_line(made))
    typer.echo("For sluice.toml:")
    typer.echo(f'[[delivery.dkim]]\ndomain = "{names[0]}"\nselector = "{names[1]}"\nkey = "{file}"')


def _write(file: Path, octets: bytes) -> None:
    try:
        number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SluiceError(f"{file}: it exists, and may be a key in use: name another file") from None
    with os.fdopen(number, "wb") as out:
        out.write(octets)


@app.command()
def record(config: ConfigOption = None) -> None:
    """Print the DNS record of each configured key, as lines of a zone file.

    Example: `sluice dkim record`
    """
    loaded = load_config(config)
    with extra("delivery"):
        from services.delivery.signing.keys import zone_line
        from services.delivery.signing.signer import read_keys
    keys = read_keys(loaded).all()
    if not keys:
        raise ConfigError("delivery.dkim: no key is configured; make one with: sluice dkim key")
    for line in dict.fromkeys(map(zone_line, keys.values())):
        typer.echo(line)
