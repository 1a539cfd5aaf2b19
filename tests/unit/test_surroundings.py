"""The kernel's routing tables, as containers have them."""

import sys

import pytest

from services.cli.surroundings import Route, facts_of, gateways_of, ipv4_routes, ipv6_routes

IPV4 = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010012AC	0003	0	0	0	00000000	0	0	0
eth1	00000A0A	050013AC	0003	0	0	0	0000FFFF	0	0	0
eth0	000012AC	00000000	0001	0	0	0	0000FFFF	0	0	0
eth1	001912C6	00000000	0001	0	0	0	C0FFFFFF	0	0	0
lo	0000007F	00000000	0001	0	0	0	000000FF	0	0	0
"""
ZERO = "0" * 32
IPV6 = f"""\
fd000000000000000000000000000000 40 {ZERO} 00 {ZERO} 00000100 00000001 00000000 00000001     eth0
fe800000000000000000000000000000 40 {ZERO} 00 {ZERO} 00000100 00000002 00000000 00000001     eth0
{ZERO} 00 {ZERO} 00 fd000000000000000000000000000001 00000400 00000003 00000000 00000003     eth0
00000000000000000000000000000001 80 {ZERO} 00 {ZERO} 00000000 00000004 00000000 80200001       lo
fd000000000000000000000000000002 80 {ZERO} 00 {ZERO} 00000000 00000004 00000000 80200001     eth0
ff000000000000000000000000000000 08 {ZERO} 00 {ZERO} 00000100 00000003 00000000 00000001     eth0
{ZERO} 00 {ZERO} 00 {ZERO} ffffffff 00000001 00000000 00200200       lo
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="the sample is of such a machine")
def test_ipv4() -> None:
    """Those of all networks: a client of a published port may appear under any of them."""
    routes = list(ipv4_routes(IPV4))
    assert routes[1] == Route("10.10.0.0/16", "172.19.0.5")
    assert gateways_of(routes) == ("172.18.0.1", "172.19.0.5", "198.18.25.1")


def test_ipv6() -> None:
    routes = list(ipv6_routes(IPV6))
    assert gateways_of(routes) == ("fd00::1",)


def test_no_table_has_no_routes() -> None:
    assert list(ipv4_routes("")) == []
    assert list(ipv6_routes("")) == []


def test_this_machine() -> None:
    """Whatever it is, its tables can be read."""
    facts = facts_of(None)
    assert facts.readable_by_all is False
    assert isinstance(facts.gateways, tuple)
