"""`sluice broker apply|check`: look, compare, mend, look again."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

from shared.broker.admin.api import Api, RefusedError, quoted
from shared.broker.admin.compare import Difference, compare
from shared.broker.admin.values import (
    Call,
    Found,
    FoundBinding,
    FoundExchange,
    FoundOperatorPolicy,
    FoundPermission,
    FoundPolicy,
    FoundQueue,
    FoundStatistics,
    FoundUser,
    Target,
)
from shared.broker.topology import DAY, QUARANTINE_BUCKETS, Limits, User
from shared.errors import ConfigError

SETTLE = 60.0
"""Seconds for RabbitMQ's own view to follow what was changed: policies and members are shown with a delay."""

ON_DISK = 3.0
"""Seconds before a new queue counts as there. RabbitMQ 3.10 notes a queue's replica on disk with a delay: killed
within about half a second of declaring it, the node never starts the queue again, and mail in it would be lost. The
same holds for a node's first stream, which 4.0 then never shows a policy."""

Progress = Callable[[str], None]


async def apply(
    target: Target, passwords: Mapping[User, str], limits: Limits, progress: Progress | None = None
) -> list[Difference]:
    """Create what is missing, correct what differs, verify; return what still differs. Safe to repeat.

    Queues and exchanges are never deleted, whatever they are: they may hold mail. Extra bindings of our exchanges
    and policies named `mail-` are. Every user's password is set. Raise BrokerError or ConfigError if RabbitMQ
    cannot be reached or refuses.
    """
    _validate(limits)
    say = progress or (lambda _: None)
    async with Api(target) as api:
        say(f"vhost {target.vhost}")
        await _open_vhost(api, target)
        say("users")
        await asyncio.gather(*(api.call(_user(user, password)) for user, password in passwords.items()))
        phases = _phases(compare(await _look(api, target), target.vhost, limits))
        for kind, fixes in phases:
            say(f"{len(fixes)} x {kind}")
            await asyncio.gather(*(_mend(api, fix) for fix in fixes))
        if any(_declares_a_queue(fix) for _, fixes in phases for fix in fixes):
            say("waiting for the new queues to be on disk")
            await asyncio.sleep(ON_DISK)
        say("verifying")
        return await _verify(api, target, limits)


async def check(target: Target, limits: Limits) -> list[Difference]:
    """Return every difference between the topology and the vhost; change nothing. Raise as `apply`."""
    _validate(limits)
    async with Api(target) as api:
        try:
            found = await _look(api, target)
        except RefusedError as error:
            if error.status != 404:
                raise
            return [Difference(f"vhost {target.vhost}", "present", "missing", "sluice broker apply")]
        return compare(found, target.vhost, limits)


def _validate(limits: Limits) -> None:
    if limits.retention >= QUARANTINE_BUCKETS * DAY:
        raise ConfigError(f"quarantine.retention: must be under {QUARANTINE_BUCKETS} days, the number of day buckets")


def _user(user: User, password: str) -> Call:
    return Call("PUT", f"users/{quoted(user)}", {"password": password, "tags": ""})


def _phases(differences: Sequence[Difference]) -> list[tuple[str, list[Call]]]:
    """Group the fixes by kind (policy, exchange, queue ...), keeping the order of the kinds."""
    fixable = [(each.what.split(" ")[0], each.fix) for each in differences if each.fix is not None]
    return [(kind, [fix for _, fix in group]) for kind, group in groupby(fixable, key=lambda pair: pair[0])]


def _declares_a_queue(fix: Call) -> bool:
    return fix.method == "PUT" and fix.path.startswith("queues/")


async def _mend(api: Api, fix: Call) -> None:
    try:
        await api.call(fix)
    except RefusedError as error:
        if fix.method != "DELETE" or error.status != 404:  # another administrator was quicker
            raise


async def _open_vhost(api: Api, target: Target) -> None:
    """Create the vhost if it is missing, and let the administrator declare in it."""
    v = quoted(target.vhost)
    try:
        known = await api.get(f"vhosts/{v}/permissions", list[FoundPermission])
    except RefusedError as error:
        if error.status != 404:
            raise
        await api.call(Call("PUT", f"vhosts/{v}", {}))
        known = []
    if target.user not in {permission.user for permission in known}:
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        await api.call(Call("PUT", f"permissions/{v}/{quoted(target.user)}", everything))


async def _look(api: Api, target: Target) -> Found:
    v = quoted(target.vhost)
    permissions = await api.get(f"vhosts/{v}/permissions", tuple[FoundPermission, ...])  # 404 if there is no such vhost
    exchanges, bindings, queues, statistics = await asyncio.gather(
        api.get(f"exchanges/{v}", tuple[FoundExchange, ...]),
        api.get(f"bindings/{v}", tuple[FoundBinding, ...]),
        api.get(f"queues/{v}?disable_stats=true&enable_queue_totals=true", tuple[FoundQueue, ...]),
        api.get(f"queues/{v}?columns=name,effective_policy_definition,members,online", tuple[FoundStatistics, ...]),
    )
    policies, operator_policies, users, nodes = await asyncio.gather(
        api.get(f"policies/{v}", tuple[FoundPolicy, ...]),
        api.get(f"operator-policies/{v}", tuple[FoundOperatorPolicy, ...]),
        api.get("users", tuple[FoundUser, ...]),
        api.get("nodes", tuple[dict[str, object], ...]),
    )
    return Found(
        exchanges=exchanges,
        queues=queues,
        statistics=statistics,
        bindings=bindings,
        policies=policies,
        operator_policies=operator_policies,
        permissions=permissions,
        users=users,
        nodes=len(nodes),
    )


async def _verify(api: Api, target: Target, limits: Limits) -> list[Difference]:
    """Compare until nothing differs, or only what time does not heal, or SETTLE has passed."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SETTLE
    while True:
        differences = compare(await _look(api, target), target.vhost, limits)
        if not any(_heals(each) for each in differences) or loop.time() > deadline:
            return differences
        await asyncio.sleep(0.2)


def _heals(difference: Difference) -> bool:
    """Return whether time may be enough: a queue of a node that has just started is down for a moment."""
    lagging = difference.what.startswith(("effective policy", "members")) or difference.found == "down"
    return lagging or difference.fix is not None
