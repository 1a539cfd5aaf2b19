"""Where the administrator works, and what is found there: the management API's answers, the parts we compare."""

from typing import Any, NamedTuple

import msgspec


class Target(NamedTuple):
    """One vhost, and the administrator who may change it."""

    url: str
    """The management API's, such as `http://127.0.0.1:15672`."""
    user: str
    password: str
    vhost: str


class Call(NamedTuple):
    """One request to the management API; `path` begins after `/api/`."""

    method: str
    path: str
    body: dict[str, Any] | None = None


class FoundExchange(msgspec.Struct, frozen=True):
    """`GET /api/exchanges/VHOST`."""

    name: str
    type: str
    durable: bool
    policy: str | None = None


class FoundQueue(msgspec.Struct, frozen=True):
    """`GET /api/queues/VHOST?disable_stats=true`: the queue's own record, so never out of date."""

    name: str
    durable: bool
    type: str = "classic"
    policy: str | None = None
    state: str = "running"
    members: tuple[str, ...] | None = None
    """None for streams; their statistics tell."""
    online: tuple[str, ...] | None = None


class FoundStatistics(msgspec.Struct, frozen=True):
    """`GET /api/queues/VHOST`: collected every few seconds, so missing at first and then a little out of date."""

    name: str
    effective_policy_definition: Any = None
    """An object; an empty list where no policy applies; None where nothing was collected yet."""
    members: tuple[str, ...] | None = None
    online: tuple[str, ...] | None = None


class FoundBinding(msgspec.Struct, frozen=True):
    """`GET /api/bindings/VHOST`."""

    source: str
    destination: str
    destination_type: str
    routing_key: str
    properties_key: str
    """The binding's name in the API's own paths."""


class FoundPolicy(msgspec.Struct, frozen=True, rename={"apply_to": "apply-to"}):
    """`GET /api/policies/VHOST`."""

    name: str
    pattern: str
    definition: dict[str, Any]
    apply_to: str
    priority: int


class FoundOperatorPolicy(msgspec.Struct, frozen=True):
    """`GET /api/operator-policies/VHOST`: its terms are merged into the policy of the queues it matches."""

    name: str
    pattern: str
    definition: dict[str, Any]


class FoundPermission(msgspec.Struct, frozen=True):
    """`GET /api/vhosts/VHOST/permissions`."""

    user: str
    configure: str
    write: str
    read: str


class FoundUser(msgspec.Struct, frozen=True):
    """`GET /api/users`. Tags are a list, or text with commas on old releases."""

    name: str
    tags: Any = ()

    @property
    def tag_names(self) -> str:
        """The tags, separated by commas."""
        return self.tags if isinstance(self.tags, str) else ",".join(self.tags)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `compare` looks at in one vhost."""

    exchanges: tuple[FoundExchange, ...] = ()
    queues: tuple[FoundQueue, ...] = ()
    statistics: tuple[FoundStatistics, ...] = ()
    bindings: tuple[FoundBinding, ...] = ()
    policies: tuple[FoundPolicy, ...] = ()
    operator_policies: tuple[FoundOperatorPolicy, ...] = ()
    permissions: tuple[FoundPermission, ...] = ()
    users: tuple[FoundUser, ...] = ()
    nodes: int = 1
    """Nodes of the cluster, stopped ones included."""
