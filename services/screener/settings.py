"""What the screener needs of the configuration: no secret among it, so that a child process may be told."""

from typing import Self

import msgspec

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

    def house(self) -> House:
        """Return what notices say about us."""
        return House(self.organisation, self.helpdesk, self.retention)
