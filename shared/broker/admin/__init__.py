"""RabbitMQ's administration: create the topology and compare it, over the management API (DESIGN section 5)."""

from shared.broker.admin.apply import apply, check
from shared.broker.admin.compare import Difference
from shared.broker.admin.values import Target

__all__ = ["Difference", "Target", "apply", "check"]
