"""What differs between the topology and a vhost: a pure comparison, in which each difference knows its remedy."""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

from shared.broker.admin.api import quoted
from shared.broker.admin.values import Call, Found, FoundBinding, FoundExchange, FoundPolicy, FoundQueue
from shared.broker.topology import (
    QUARANTINE_INDEX,
    SLOT_ROLL,
    Binding,
    Limits,
    Policy,
    bindings,
    exchanges,
    permissions,
    policies,
    policy_for,
    quorum_queues,
)

APPLY = "sluice broker apply"
REPLICAS = 3
"""Members that RabbitMQ gives a quorum queue by itself, if there are as many nodes."""


class Difference(NamedTuple):
    """One line of `sluice broker check`."""

    what: str
    expected: str
    found: str
    remedy: str
    fix: Call | None = None
    """What `apply` does about it; None if only a person may decide."""

    def __str__(self) -> str:
        return f"{self.what}: expected {self.expected}, found {self.found}; {self.remedy}"


def compare(found: Found, vhost: str, limits: Limits) -> list[Difference]:
    """Return every difference, in the order in which their fixes must be made: policies before queues."""
    v = quoted(vhost)
    return list(
        chain(
            _policies(found, v, limits),
            _exchanges(found, v),
            _queues(found, v, limits),
            _bindings(found, v),
            _users(found),
            _permissions(found, v),
        )
    )


def _policies(found: Found, v: str, limits: Limits) -> Iterator[Difference]:
    there = {policy.name: policy for policy in found.policies}
    wanted = {policy.name: policy for policy in policies(limits)}
    for name, policy in wanted.items():
        if name not in there or _text(there[name]) != _text(policy):
            fix = Call(
                "PUT",
                f"policies/{v}/{quoted(name)}",
                {"pattern": policy.pattern, "definition": policy.definition, "apply-to": "queues", "priority": 0},
            )
            present = _text(there[name]) if name in there else "missing"
            yield Difference(f"policy {name}", _text(policy), present, APPLY, fix)
    for name in sorted(there.keys() - wanted.keys()):
        if name.startswith("mail-"):
            fix = Call("DELETE", f"policies/{v}/{quoted(name)}")
            yield Difference(f"policy {name}", "none of this name", _text(there[name]), APPLY, fix)


def _text(policy: Policy | FoundPolicy) -> str:
    terms = ", ".join(f"{key}={value}" for key, value in sorted(policy.definition.items()))
    where = "queues priority 0" if isinstance(policy, Policy) else f"{policy.apply_to} priority {policy.priority}"
    return f"{policy.pattern} on {where}: {terms}"


def _exchanges(found: Found, v: str) -> Iterator[Difference]:
    there = {exchange.name: exchange for exchange in found.exchanges}
    wanted = exchanges()
    for name in wanted:
        if name not in there:
            fix = Call("PUT", f"exchanges/{v}/{quoted(name)}", {"type": "direct", "durable": True})
            yield Difference(f"exchange {name}", "direct, durable", "missing", APPLY, fix)
        elif (seen := _shape(there[name])) != "direct, durable":
            yield Difference(f"exchange {name}", "direct, durable", seen, f"delete it, then {APPLY}")
    for name in sorted(there.keys() - set(wanted)):
        if name.startswith("mail."):
            yield Difference(
                f"exchange {name}", "none of this name", _shape(there[name]), "delete it, if nothing uses it"
            )


def _shape(exchange: FoundExchange) -> str:
    policy = f", policy {exchange.policy}" if exchange.policy else ""
    return f"{exchange.type}, {'durable' if exchange.durable else 'transient'}{policy}"


def _queues(found: Found, v: str, limits: Limits) -> Iterator[Difference]:
    there = {queue.name: queue for queue in found.queues}
    wanted = {**dict.fromkeys(quorum_queues(), "quorum"), QUARANTINE_INDEX: "stream", SLOT_ROLL: "classic"}
    for name, kind in wanted.items():
        if name not in there:
            body = {"durable": True, "auto_delete": False, "arguments": {"x-queue-type": kind}}
            fix = Call("PUT", f"queues/{v}/{quoted(name)}", body)
            yield Difference(f"queue {name}", f"{kind}, durable", "missing", APPLY, fix)
            continue
        queue = there[name]
        seen = f"{queue.type}, {'durable' if queue.durable else 'transient'}"
        if seen != f"{kind}, durable":
            remedy = f"move its messages elsewhere, delete it, then {APPLY}"
            yield Difference(f"queue {name}", f"{kind}, durable", seen, remedy)
            continue
        if queue.state == "down":
            remedy = f"start the nodes that hold it; if it stays down with all of them up, delete it, then {APPLY}"
            yield Difference(f"queue {name}", "running", "down", remedy)
            continue
        if name != SLOT_ROLL:
            yield from _effective_policy(queue, found, limits)
            yield from _members(queue, found)
    for name in sorted(there.keys() - wanted.keys()):
        if name.startswith("mail."):
            remedy = "move its messages elsewhere and delete it, if nothing uses it"
            yield Difference(f"queue {name}", "none of this name", there[name].type, remedy)


def _effective_policy(queue: FoundQueue, found: Found, limits: Limits) -> Iterator[Difference]:
    """Compare what RabbitMQ really applies: another policy of higher priority hides ours without a word."""
    policy = policy_for(queue.name, limits)
    definition = _effective_definition(queue, found)
    if queue.policy == policy.name and definition == policy.definition:
        return
    wrong = {
        key: definition.get(key, "nothing") for key, value in policy.definition.items() if definition.get(key) != value
    }
    extra = {key: value for key, value in definition.items() if key not in policy.definition}
    expected = {key: policy.definition.get(key, "nothing") for key in (*wrong, *extra)}
    remedy = APPLY if queue.policy in {None, policy.name} else f"delete policy {queue.policy}, or let it not match"
    yield Difference(
        f"effective policy of queue {queue.name}",
        _terms(policy.name, expected),
        _terms(queue.policy or "no policy", wrong | extra),
        remedy,
    )


def _effective_definition(queue: FoundQueue, found: Found) -> dict[str, Any]:
    """Return what is collected, or until then what follows from the policy on the queue's record.

    A stream's is not looked at: 4.x collects it up to half a minute late, and no mail depends on it.
    """
    collected = () if queue.name == QUARANTINE_INDEX else found.statistics
    for statistics in collected:
        if statistics.name == queue.name and statistics.effective_policy_definition is not None:
            return dict(statistics.effective_policy_definition)
    definition: dict[str, Any] = {}
    for policy in found.policies:
        definition |= policy.definition if policy.name == queue.policy else {}
    for operator_policy in found.operator_policies:
        definition |= operator_policy.definition if re.search(operator_policy.pattern, queue.name) else {}
    return definition


def _terms(name: str, terms: dict[str, Any]) -> str:
    return " ".join([name, *(f"{key}={value}" for key, value in sorted(terms.items()))])


def _members(queue: FoundQueue, found: Found) -> Iterator[Difference]:
    statistics = next((each for each in found.statistics if each.name == queue.name), None)
    shown = queue if queue.members is not None else statistics
    if shown is None or shown.members is None:
        return
    wanted, members, online = min(found.nodes, REPLICAS), len(shown.members), len(shown.online or ())
    if members < wanted:
        remedy = f"rabbitmq-queues add_member, or add_replica for a stream, until {queue.name} has {wanted}"
        yield Difference(f"members of queue {queue.name}", f"{wanted} or more", str(members), remedy)
    elif online < members:
        yield Difference(
            f"members of queue {queue.name}", f"{members} online", f"{online} online", "start the other nodes"
        )


def _bindings(found: Found, v: str) -> Iterator[Difference]:
    ours = {*exchanges()}
    queues = {*quorum_queues(), QUARANTINE_INDEX}
    there = {_key(binding): binding for binding in found.bindings if binding.source}
    wanted = {f"{b.exchange} -> {b.queue} for {b.key}": b for b in bindings()}
    for key, binding in wanted.items():
        if key not in there:
            yield Difference(f"binding {key}", "present", "missing", APPLY, _bind(v, binding))
    for key in sorted(there.keys() - wanted.keys()):
        extra = there[key]
        if extra.source in ours or extra.destination in queues:
            yield Difference(f"binding {key}", "none", "present", APPLY, _unbind(v, extra))


def _key(binding: FoundBinding) -> str:
    to = binding.destination if binding.destination_type == "queue" else f"exchange {binding.destination}"
    return f"{binding.source} -> {to} for {binding.routing_key}"


def _bind(v: str, binding: Binding) -> Call:
    path = f"bindings/{v}/e/{quoted(binding.exchange)}/q/{quoted(binding.queue)}"
    return Call("POST", path, {"routing_key": binding.key, "arguments": {}})


def _unbind(v: str, binding: FoundBinding) -> Call:
    kind = "q" if binding.destination_type == "queue" else "e"
    to = f"{kind}/{quoted(binding.destination)}/{quoted(binding.properties_key)}"
    return Call("DELETE", f"bindings/{v}/e/{quoted(binding.source)}/{to}")


def _users(found: Found) -> Iterator[Difference]:
    """Tags open the management UI; a service needs none. Creating a user needs its password: `apply` does that."""
    there = {user.name: user for user in found.users}
    for user in permissions():
        if user not in there:
            yield Difference(f"user {user}", "present, no tags", "missing", APPLY)
        elif there[user].tag_names:
            yield Difference(f"user {user}", "present, no tags", f"tags {there[user].tag_names}", APPLY)


def _permissions(found: Found, v: str) -> Iterator[Difference]:
    there = {permission.user: permission for permission in found.permissions}
    for user, permission in permissions().items():
        expected = f"configure {permission.configure} write {permission.write} read {permission.read}"
        seen = there.get(user)
        present = "none" if seen is None else f"configure {seen.configure} write {seen.write} read {seen.read}"
        if present != expected:
            fix = Call("PUT", f"permissions/{v}/{quoted(user)}", permission._asdict())
            yield Difference(f"permissions of user {user}", expected, present, APPLY, fix)
