"""What the screener needs of the configuration: no secret among it, so that a child process may be told."""

from typing import Self

import msgspec

from services.screener.antivirus.clamd import Clamd
from services.screener.assess import House
from services.screener.rules import RuleSet, compile_rules
from shared.config.model import Config, Rules, Screener
from shared.config.screen_rule import ScreenRule
from shared.model import Direction


class Settings(msgspec.Struct, frozen=True):
    """Settings as plain values."""

    hostname: str
    postmaster: str
    organisation: str
    helpdesk: str
    retention: float
    antivirus: str | None
    antivirus_timeout: float
    antivirus_sessions: int
    antivirus_max_file: int
    inbound: Rules
    outbound: Rules
    rule: tuple[ScreenRule, ...] = ()
    groups: dict[str, tuple[str, ...]] = {}

    @classmethod
    def of(cls, config: Config) -> Self:
        """Return the settings of a configuration."""
        return cls(
            hostname=config.hostname,
            postmaster=config.relay.postmaster,
            organisation=config.screener.organisation or config.hostname,
            helpdesk=config.screener.helpdesk or config.relay.postmaster,
            retention=float(config.quarantine.retention),
            antivirus=config.screener.antivirus,
            antivirus_timeout=float(config.screener.antivirus_timeout),
            antivirus_sessions=config.screener.antivirus_sessions,
            antivirus_max_file=int(config.screener.antivirus_max_file),
            inbound=config.screener.inbound,
            outbound=config.screener.outbound,
            rule=config.screener.rule,
            groups=config.screener.groups,
        )

    def rules(self) -> dict[Direction, RuleSet]:
        """Return the rules of both directions. Raise ConfigError for rules that cannot be used."""
        screener = Screener(rule=self.rule, groups=self.groups)
        return {
            Direction.INBOUND: compile_rules(self.inbound, Direction.INBOUND, screener),
            Direction.OUTBOUND: compile_rules(self.outbound, Direction.OUTBOUND, screener),
        }

    def clamd(self) -> Clamd | None:
        """Return the virus scanner, if there is one."""
        return Clamd(self.antivirus, self.antivirus_timeout, self.antivirus_sessions) if self.antivirus else None

    def house(self) -> House:
        """Return what notices say about us."""
        return House(self.organisation, self.helpdesk, self.retention)
