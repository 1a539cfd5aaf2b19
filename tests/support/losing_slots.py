"""Slots that can be lost, as those are that live with a connection to RabbitMQ."""

from collections.abc import Callable

from shared.broker.local_slots import LocalSlot, LocalSlots


class LosingSlots(LocalSlots):
    """Slots of this process."""

    lose: Callable[[], None] | None = None
    """What tells the holder of the slot taken first that it is lost."""

    async def take(self, site: str, limit: int, on_loss: Callable[[], None]) -> LocalSlot | None:
        """Return a slot, or None if `limit` are held."""
        self.lose = self.lose or on_loss
        return await super().take(site, limit, on_loss)
