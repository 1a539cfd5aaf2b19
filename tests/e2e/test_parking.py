"""What may not or cannot be delivered is parked where an operator finds it, and never crash-loops a service."""

from shared import wire
from shared.model import Client, Envelope, Item, Message, Origin, Place, Recipient
from tests.support.waiting import wait_for
from tests.support.world import OUTSIDER, World, mail, octets


def test_an_item_for_delivery_without_a_verdict_is_parked(world: World) -> None:
    """No path leads around the screener, whoever put the item there."""
    item = Item(
        id="01KATESTWITH0UTAVERD1CT000",
        envelope=Envelope("a@elsewhere.example", (Recipient("unscreened@elsewhere.example"),)),
        origin=Origin.TRUSTED,
        client=Client("127.0.0.2"),
        accepted_at=1_795_000_000.0,
        destination="elsewhere.example",
    )
    world.broker.put(Place.DELIVER.value, wire.encode(Message(item, b"Subject: around\r\n\r\n")))
    wait_for(lambda: any(kept.message is not None and kept.message.item.id == item.id for kept in world.parked()), 60)
    assert world.held("unscreened@elsewhere.example") == []


def test_an_undecodable_item_is_parked_and_mail_flows_on(world: World) -> None:
    bodies = {b"\xff not one of ours", b'{"v":99,"item":{}}\nSubject: x\r\n'}
    for body in bodies:
        world.broker.put(Place.SCREEN.value, body)
    wait_for(lambda: bodies <= {kept.body for kept in world.parked()}, 60)
    to = "after-poison@hosted.example"
    assert world.send(OUTSIDER, "s@elsewhere.example", to, octets(mail("s@elsewhere.example", to, "after"))).code == 250
    world.arrived(to)
    assert all(process.running for process in world.relay.processes.values())
