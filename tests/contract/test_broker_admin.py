"""`sluice broker apply|check` on real nodes: every kind of damage is found, named in one line, and mended."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.broker.admin import Difference, Target, apply, check
from shared.broker.topology import DAY, Limits, User
from shared.errors import BrokerUnavailable, ConfigError
from tests.contract.harness import until
from tests.contract.rabbitmq_harness import PASSWORDS, RabbitHarness
from tests.support.ports import free_port
from tests.support.rabbitmq_fixtures import SMALL

Api = Callable[..., object]
V = "damaged"

DAMAGES: list[Any] = [
    pytest.param(
        [("DELETE", f"queues/{V}/mail.screen.wait.4h", None)],
        "queue mail.screen.wait.4h: expected quorum, durable, found missing; sluice broker apply",
        id="queue missing",
    ),
    pytest.param(
        [("DELETE", f"policies/{V}/mail-dead", None)],
        "policy mail-dead: expected ^mail\\.dead$ on queues priority 0: delivery-limit=1000000000, found missing; "
        "sluice broker apply",
        id="policy missing",
    ),
    pytest.param(
        [
            (
                "PUT",
                f"policies/{V}/mail-dead",
                {"pattern": "^mail.dead$", "definition": {"delivery-limit": 3}, "apply-to": "all", "priority": 2},
            )
        ],
        "policy mail-dead: expected ^mail\\.dead$ on queues priority 0: delivery-limit=1000000000, found "
        "^mail.dead$ on all priority 2: delivery-limit=3; sluice broker apply",
        id="policy wrong",
    ),
    pytest.param(
        [("PUT", f"policies/{V}/mail-old", {"pattern": "^none$", "definition": {"max-length": 1}})],
        "policy mail-old: expected none of this name, found ^none$ on all priority 0: max-length=1; "
        "sluice broker apply",
        id="policy of an old release",
    ),
    pytest.param(
        [("DELETE", f"bindings/{V}/e/mail.from-delivery/q/mail.redeliver/mail.redeliver", None)],
        "binding mail.from-delivery -> mail.redeliver for mail.redeliver: expected present, found missing; "
        "sluice broker apply",
        id="binding missing",
    ),
    pytest.param(
        [("POST", f"bindings/{V}/e/mail.from-ingress/q/mail.deliver", {"routing_key": "mail.deliver"})],
        "binding mail.from-ingress -> mail.deliver for mail.deliver: expected none, found present; sluice broker apply",
        id="binding past the screener",
    ),
    pytest.param(
        [("POST", f"bindings/{V}/e/mail.from-ingress/e/amq.fanout", {"routing_key": "x"})],
        "binding mail.from-ingress -> exchange amq.fanout for x: expected none, found present; sluice broker apply",
        id="binding to an exchange",
    ),
    pytest.param(
        [("DELETE", f"exchanges/{V}/mail.return", None)],
        "exchange mail.return: expected direct, durable, found missing; sluice broker apply",
        id="exchange missing",
    ),
    pytest.param(
        [("PUT", f"permissions/{V}/ingress", {"configure": "", "write": ".*", "read": ""})],
        "permissions of user ingress: expected configure ^$ write ^mail[.]from-ingress$ read ^$, found configure  "
        "write .* read ; sluice broker apply",
        id="permission wrong",
    ),
    pytest.param(
        [("DELETE", f"permissions/{V}/screener", None)],
        "permissions of user screener: expected configure ^$ write ^mail[.]from-screener$ "
        "read ^mail\\.screen(\\.large)?$, found none; sluice broker apply",
        id="permission missing",
    ),
    pytest.param(
        [("DELETE", "users/operator", None)],
        "user operator: expected present, no tags, found missing; sluice broker apply",
        id="user missing",
    ),
    pytest.param(
        [("PUT", "users/delivery", {"password": PASSWORDS[User.DELIVERY], "tags": "administrator"})],
        "user delivery: expected present, no tags, found tags administrator; sluice broker apply",
        id="user with a tag",
    ),
]


async def lines(harness: RabbitHarness) -> list[str]:
    return [str(each) for each in await check(harness.target, SMALL)]


async def mended(harness: RabbitHarness) -> list[Difference]:
    return await apply(harness.target, PASSWORDS, SMALL)


@pytest.mark.parametrize(("requests", "line"), DAMAGES)
async def test_damage_is_found_and_mended(
    damaged: RabbitHarness, requests: list[tuple[str, str, object]], line: str
) -> None:
    """Each line names what, expected, found and remedy; apply leaves nothing."""
    for request in requests:
        damaged.node.api(*request)
    assert line in await lines(damaged)
    assert await mended(damaged) == []
    assert await lines(damaged) == []


@pytest.mark.parametrize(
    ("kind", "seen"),
    [({"x-queue-type": "classic"}, "classic, durable"), ({"x-queue-type": "stream"}, "stream, durable")],
)
async def test_queue_of_the_wrong_type_is_left_to_a_person(
    damaged: RabbitHarness, kind: dict[str, str], seen: str
) -> None:
    """It may hold mail, and a confirm of it promises nothing (BROKER.md 1)."""
    queue = f"queues/{V}/mail.deliver"
    damaged.node.api("DELETE", queue)
    damaged.node.api("PUT", queue, {"durable": True, "arguments": kind})
    expected = (
        f"queue mail.deliver: expected quorum, durable, found {seen}; "
        "move its messages elsewhere, delete it, then sluice broker apply"
    )
    assert expected in await lines(damaged)
    assert expected in [str(each) for each in await mended(damaged)]
    damaged.node.api("DELETE", queue)
    assert await mended(damaged) == []


async def test_a_node_killed_after_apply_has_every_queue(damaged: RabbitHarness) -> None:
    """Once `apply` has ended, services may put mail into a queue that it has declared: no crash may take it away."""
    for queue in ("mail.screen", "mail.redeliver", "mail.deliver.wait.5s"):
        damaged.node.api("DELETE", f"queues/{V}/{queue}")
    assert await mended(damaged) == []
    await damaged.restart()
    assert await mended(damaged) == []


async def test_exchange_of_the_wrong_type_is_left_to_a_person(damaged: RabbitHarness) -> None:
    """A fanout would publish everything everywhere."""
    exchange = f"exchanges/{V}/mail.from-screener"
    damaged.node.api("DELETE", exchange)
    damaged.node.api("PUT", exchange, {"type": "fanout", "durable": True})
    expected = (
        "exchange mail.from-screener: expected direct, durable, found fanout, durable; "
        "delete it, then sluice broker apply"
    )
    assert expected in [str(each) for each in await mended(damaged)]
    damaged.node.api("DELETE", exchange)
    assert await mended(damaged) == []


async def test_policies_of_others_that_change_ours_are_found_on_each_queue(damaged: RabbitHarness) -> None:
    """Another policy hides ours, an operator policy merges into it; in both cases ours is there, and not in effect."""
    policy, operator_policy = f"policies/{V}/someone-elses", f"operator-policies/{V}/cap"
    terms = {"definition": {"max-length": 5}, "apply-to": "queues"}
    damaged.node.api("PUT", policy, {"pattern": "^mail[.]redeliver", "priority": 9, **terms})
    damaged.node.api("PUT", operator_policy, {"pattern": "^mail[.]dead$", **terms})

    async def found() -> bool:
        hidden, merged = "effective policy of queue mail.redeliver: ", "effective policy of queue mail.dead: "
        seen = await lines(damaged)
        return any(
            line.startswith(hidden)
            and "found someone-elses" in line
            and line.endswith("delete policy someone-elses, or let it not match")
            for line in seen
        ) and any(line.startswith(merged) and "found mail-dead max-length=5" in line for line in seen)

    await until(found, "both are found")
    damaged.node.api("DELETE", policy)
    damaged.node.api("DELETE", operator_policy)

    async def gone() -> bool:
        return await lines(damaged) == []

    await until(gone, "all is as it must be")


async def test_what_is_not_ours_but_named_as_ours_is_told(damaged: RabbitHarness) -> None:
    """Names that begin with `mail.` are ours; nothing is deleted that may hold mail."""
    damaged.node.api("PUT", f"queues/{V}/mail.stray", {"durable": True, "arguments": {"x-queue-type": "quorum"}})
    damaged.node.api("PUT", f"exchanges/{V}/mail.stray", {"type": "direct", "durable": True})
    damaged.node.api("PUT", f"queues/{V}/else", {"durable": True})
    exchange, queue = (str(each) for each in await mended(damaged))
    expected = "expected none of this name, found"
    assert exchange == f"exchange mail.stray: {expected} direct, durable; delete it, if nothing uses it"
    remedy = "move its messages elsewhere and delete it, if nothing uses it"
    assert queue == f"queue mail.stray: {expected} quorum; {remedy}"
    for what in ("queues", "exchanges"):
        damaged.node.api("DELETE", f"{what}/{V}/mail.stray")
    assert await lines(damaged) == []


async def test_changed_limits_are_applied_to_queues_that_exist(damaged: RabbitHarness) -> None:
    """Policies change live (BROKER.md 7); no redeclaration, so no 406."""
    other = Limits(work_bytes=200_000, retention=3 * DAY)
    assert len(await check(damaged.target, other)) > 1
    assert await apply(damaged.target, PASSWORDS, other) == []
    assert await mended(damaged) == []


async def test_progress_is_told_and_a_second_apply_has_nothing_to_do(damaged: RabbitHarness) -> None:
    """Safe to repeat: a one-shot container runs at every start."""
    told: list[str] = []
    assert await apply(damaged.target, PASSWORDS, SMALL, told.append) == []
    assert told == ["vhost damaged", "users", "verifying"]


async def test_missing_vhost_is_one_difference(damaged: RabbitHarness) -> None:
    """Not a list of everything that is not in it."""
    target = damaged.target._replace(vhost="not-there")
    assert [str(each) for each in await check(target, SMALL)] == [
        "vhost not-there: expected present, found missing; sluice broker apply"
    ]


async def test_wrong_password_names_the_key_and_not_the_password(damaged: RabbitHarness) -> None:
    """The administrator reads what to correct."""
    with pytest.raises(ConfigError) as caught:
        await check(damaged.target._replace(password="sesame"), SMALL)
    assert "refuses user" in str(caught.value)
    assert "broker_admin.password" in str(caught.value)
    assert "sesame" not in str(caught.value)


async def test_nothing_listening_is_told_with_the_url() -> None:
    """As everywhere: place, reason, remedy."""
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(BrokerUnavailable, match=url):
        await check(Target(url, "admin", "sesame", "/"), SMALL)


@pytest.mark.parametrize("url", ["127.0.0.1:15672", "amqp://127.0.0.1", "http://"])
async def test_url_that_is_none(url: str) -> None:
    """Before anything is tried."""
    with pytest.raises(ConfigError, match=r"broker_admin\.url"):
        await check(Target(url, "admin", "sesame", "/"), SMALL)


async def test_retention_longer_than_the_ring_is_refused() -> None:
    """Buckets would be filled again before they are empty."""
    with pytest.raises(ConfigError, match=r"quarantine\.retention: must be under 31 days"):
        await apply(Target("http://127.0.0.1", "a", "b", "/"), PASSWORDS, Limits(retention=31 * DAY))
