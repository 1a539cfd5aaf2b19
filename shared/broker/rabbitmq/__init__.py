"""The RabbitMQ adapter: the broker port on quorum queues, over aiormq (docs/adr/0004-broker-facts.md).

Two connections, one to publish and one to consume: an alarm stops RabbitMQ reading a publisher's socket, and
acknowledgements must still get through (BROKER.md 8). Nothing is declared here; `shared.broker.admin` does that.
"""

from shared.broker.rabbitmq.broker import RabbitBroker, connect
from shared.broker.rabbitmq.operator import RabbitOperator, connect_operator
from shared.broker.rabbitmq.settings import Settings

__all__ = ["RabbitBroker", "RabbitOperator", "Settings", "connect", "connect_operator"]
