"""Configuration: what is read, and the one line that each mistake gives."""

import re
from pathlib import Path

import pytest

from shared.config.load import find, load
from shared.config.model import Config, Hosted, Listener, Mode
from shared.config.units import Duration
from shared.errors import ConfigError


def written(folder: Path, text: str, **files: str) -> Path:
    for name, content in files.items():
        (folder / name).write_text(content)
    path = folder / "sluice.toml"
    path.write_text(text)
    return path


def test_nothing_gives_the_defaults() -> None:
    assert load(None, {"PATH": "/bin"}) == Config()


def test_the_example_of_the_design_is_read(tmp_path: Path) -> None:
    """Every form of the documented example arrives as the type the code uses."""
    config = load(
        written(
            tmp_path,
            """
            hostname = "Relay.Example.NET"
            broker = "amqp://ingress@rabbitmq:5672/"
            broker_password_file = "password"
            [relay]
            postmaster = "postmaster@example.org"
            trusted_networks = ["127.0.0.0/8", "::1"]
            denied_destinations = ["*.example.invalid"]
            [relay.hosted]
            "example.org" = "mail.internal:25"
            ".Example.org" = ["[10.0.0.5]:2525", "MX"]
            "example.com" = { next_hop = ["[10.0.0.5]:2525", "mx"], recipients = "recipients.txt" }
            [[ingress.listener]]
            address = "0.0.0.0:25"
            [[ingress.listener]]
            address = "[::]:587"
            mode = "submission"
            [ingress]
            max_message_size = "35MiB"
            [auth]
            users_file = "/etc/sluice/users"
            [delivery]
            nameservers = ["127.0.0.1:5353", "::1"]
            lifetime = "5d"
            retry = ["1m", 300]
            route = { "example.net" = "smtp://user@smarthost:587", "*" = "smtps://out" }
            route_passwords_file = { "example.net" = "smarthost" }
            """,
            password="secret\n",
            smarthost="hunter2\r\n",
        ),
        {},
    )
    assert config.hostname == "relay.example.net"
    assert config.broker_password == "secret"
    assert config.relay.trusted_networks == ("127.0.0.0/8", "::1/128")
    assert config.relay.hosted == {
        "example.org": "mail.internal:25",
        ".example.org": ("[10.0.0.5]:2525", "mx"),
        "example.com": Hosted(next_hop=("[10.0.0.5]:2525", "mx"), recipients=str(tmp_path / "recipients.txt")),
    }
    assert config.ingress.listener == (
        Listener(address="0.0.0.0:25"),
        Listener(address="[::]:587", mode=Mode.SUBMISSION),
    )
    assert config.ingress.max_message_size == 35 * 1024**2
    assert config.auth.users_file == "/etc/sluice/users"
    assert config.delivery.nameservers == ("127.0.0.1:5353", "[::1]:53")
    assert config.delivery.lifetime == Duration(5 * 86400)
    assert config.delivery.retry == (Duration(60), Duration(300))
    assert config.delivery.route_passwords == {"example.net": "hunter2"}


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, 'broker = "sqlite:///data/q.db"\n[tls]\ncertificate = "cert.pem"\nkey = "/abs/key.pem"\n')
    config = load(path, {"SLUICE_TLS__CLIENT_CA": "ca.pem"})
    assert config.broker == f"sqlite:///{tmp_path}/data/q.db"
    assert config.tls.certificate == str(tmp_path / "cert.pem")
    assert config.tls.key == "/abs/key.pem"
    assert config.tls.client_ca == "ca.pem"


@pytest.mark.parametrize(
    ("variables", "section", "expected"),
    [
        ({"SLUICE_HOSTNAME": "a.example"}, "hostname", "a.example"),
        ({"SLUICE_BROKER": "amqps://b/v"}, "broker", "amqps://b/v"),
        ({"SLUICE_INGRESS__MAX_RECIPIENTS": "7"}, "ingress.max_recipients", 7),
        ({"SLUICE_INGRESS__MAX_MESSAGE_SIZE": "1MiB"}, "ingress.max_message_size", 1024**2),
        ({"SLUICE_INGRESS__MAX_MESSAGE_SIZE": "4096"}, "ingress.max_message_size", 4096),
        ({"SLUICE_INGRESS__COMMAND_TIMEOUT": "2.5"}, "ingress.command_timeout", 2.5),
        ({"SLUICE_INGRESS__COMMAND_TIMEOUT": "1h30m"}, "ingress.command_timeout", 5400),
        ({"SLUICE_DELIVERY__ALLOW_PRIVATE_DESTINATIONS": "true"}, "delivery.allow_private_destinations", True),
        ({"SLUICE_LOG__FORMAT": "console"}, "log.format", "console"),
        ({"SLUICE_RELAY__TRUSTED_NETWORKS": "10.0.0.0/8, ::1"}, "relay.trusted_networks", ("10.0.0.0/8", "::1/128")),
        ({"SLUICE_RELAY__TRUSTED_NETWORKS": '["10.0.0.0/8"]'}, "relay.trusted_networks", ("10.0.0.0/8",)),
        ({"SLUICE_RELAY__TRUSTED_NETWORKS": ""}, "relay.trusted_networks", ()),
        ({"SLUICE_DELIVERY__RETRY": "1s,2s"}, "delivery.retry", (1, 2)),
        ({"SLUICE_RELAY__HOSTED": '{"a.example" = "mx"}'}, "relay.hosted", {"a.example": "mx"}),
        ({"SLUICE_RELAY__HOSTED": '{"a.example": ["h:25"]}'}, "relay.hosted", {"a.example": ("h:25",)}),
        ({"SLUICE_INGRESS__LISTENER": '[{address = "[::1]:0"}]'}, "ingress.listener", (Listener(address="[::1]:0"),)),
        ({"SLUICE_TLS": '{certificate = "c"}'}, "tls.certificate", "c"),
        ({"SLUICE_CONFIG": "other.toml", "SLUICE_INGRESS_SERVICE_HOST": "10.0.0.1"}, "hostname", "localhost"),
        ({"SLUICE_INGRESS_PORT_25_TCP_ADDR": "10.0.0.1", "SLUICE_INGRESS_PORT": "tcp://x"}, "hostname", "localhost"),
        ({"SLUICE_BROKER_PASSWORD": " s p "}, "broker_password", " s p "),
    ],
)
def test_variables(variables: dict[str, str], section: str, expected: object) -> None:
    """A variable gives a key of any type: text, number, list by commas or as TOML or JSON, table."""
    value: object = load(None, variables)
    for name in section.split("."):
        value = getattr(value, name)
    assert value == expected


def test_variables_replace_what_the_file_says(tmp_path: Path) -> None:
    """A variable replaces its key alone; a secret given as a variable replaces the file's, in either form."""
    path = written(
        tmp_path,
        'broker_password_file = "absent"\n[ingress]\nmax_recipients = 5\nmax_hops = 6\n'
        '[relay.hosted]\n"a.example" = "mx"\n',
    )
    variables = {
        "SLUICE_BROKER_PASSWORD": "new",
        "SLUICE_INGRESS__MAX_RECIPIENTS": "9",
        "SLUICE_RELAY__HOSTED": '{"b.example" = "mx"}',
    }
    config = load(path, variables)
    assert (config.broker_password, config.ingress.max_recipients, config.ingress.max_hops) == ("new", 9, 6)
    assert config.relay.hosted == {"b.example": "mx"}


def test_a_table_with_some_keys_leaves_the_other_defaults(tmp_path: Path) -> None:
    """The directions' rules differ in their defaults: naming one key of a table must not change another."""
    config = load(written(tmp_path, "[screener.outbound]\nextra_extensions = ['zip']\n"), {})
    assert (config.screener.outbound.action, config.screener.outbound.ambiguous) == ("block", "block")
    assert config.screener.outbound.extra_extensions == ("zip",)
    variables = {"SLUICE_SCREENER__OUTBOUND__EXTRA_EXTENSIONS": "zip,7z"}
    assert load(None, variables).screener.outbound.action == "block"


def test_a_list_from_a_variable_leaves_the_file_of_the_same_list(tmp_path: Path) -> None:
    """Only a secret has either a value or a file; the entries of a deny list and of its file count together."""
    path = tmp_path / "sluice.toml"
    path.write_text('[relay]\ndenied_clients = ["192.0.2.1/32"]\ndenied_clients_file = "denied"\n')
    relay = load(path, {"SLUICE_RELAY__DENIED_CLIENTS": "203.0.113.0/24"}).relay
    assert relay.denied_clients == ("203.0.113.0/24",)
    assert relay.denied_clients_file == str(tmp_path / "denied")


def test_secret_from_a_file_named_by_a_variable(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("from file\n")
    path = written(tmp_path, 'broker_password = "old"\n')
    assert load(path, {"SLUICE_BROKER_PASSWORD_FILE": str(tmp_path / "s")}).broker_password == "from file"


WRONG = [
    ("hostnam = 'a'", 'F: hostnam: unknown key; did you mean "hostname"?'),
    ("[ingres]", 'F: ingres: unknown key; did you mean "ingress"?'),
    ("[ingress]\nmax_recipient = 1", 'F: ingress.max_recipient: unknown key; did you mean "max_recipients"?'),
    (
        "[[ingress.listener]]\naddress = '[::]:25'\n[[ingress.listener]]\naddres = ':25'",
        'F: ingress.listener[1].addres: unknown key; did you mean "address"?',
    ),
    (
        "[relay.hosted]\n'example.org' = { nexthop = ['mx'] }",
        'F: relay.hosted."example.org".nexthop: unknown key; did you mean "next_hop"?',
    ),
    ("zzz = 1", "F: zzz: unknown key; valid are auth, broker, broker_admin, "),
    ("[broker_admin]\npasword_file = 'x'", 'F: broker_admin.pasword_file: unknown key; did you mean "password_file"?'),
    ("hostname = 5", "F: hostname: expected text, found the number 5"),
    ("ingress = 5", "F: ingress: expected a table, found the number 5"),
    ("[ingress]\nlistener = 'x'", 'F: ingress.listener: expected a list, found the text "x"'),
    ("[ingress]\nmax_recipients = 'many'", 'F: ingress.max_recipients: expected a whole number, found the text "many"'),
    ("[ingress]\nmax_recipients = 1.5", "F: ingress.max_recipients: expected a whole number, found the number 1.5"),
    ("[ingress]\nmax_recipients = true", "F: ingress.max_recipients: expected a whole number, found true"),
    ("[ingress]\nmax_recipients = 0", "F: ingress.max_recipients: expected at least 1, found 0"),
    ("[delivery]\nport = 70000", "F: delivery.port: expected from 1 to 65535, found 70000"),
    (
        "[delivery]\nallow_private_destinations = 'yes'",
        "F: delivery.allow_private_destinations: expected true or false",
    ),
    (
        "[ingress]\nmax_message_size = '35 MegaBytes'",
        'F: ingress.max_message_size: "35 MegaBytes" is not a size: write',
    ),
    ("[ingress]\nmax_message_size = -1", 'F: ingress.max_message_size: "-1" is not a size'),
    ("[delivery]\nlifetime = '5 days'", 'F: delivery.lifetime: "5 days" is not a duration: write such as "30s"'),
    ("[delivery]\nlifetime = -5", 'F: delivery.lifetime: "-5" is not a duration'),
    ("[delivery]\nlifetime = inf", 'F: delivery.lifetime: "inf" is not a duration'),
    ("[delivery]\nlifetime = true", 'F: delivery.lifetime: "True" is not a duration'),
    ("[delivery]\nretry = ['1m', 'x']", 'F: delivery.retry[1]: "x" is not a duration'),
    (
        "[[ingress.listener]]\naddress = '[::]:25'\nmode = 'smtps'",
        'F: ingress.listener[0].mode: the text "smtps" is not known: valid are relay, submission, submissions',
    ),
    ("[log]\nlevel = 'loud'", 'F: log.level: "loud" is not known: valid are debug, info, warning, error'),
    ("[screener.inbound]\naction = 'drop'", 'F: screener.inbound.action: "drop" is not known: valid are strip, '),
    ("[[ingress.listener]]\nmode = 'relay'", 'F: ingress.listener[0]: "address" is missing'),
    (
        "[[ingress.listener]]\naddress = 'mail.example:25'",
        'F: ingress.listener[0].address: "mail.example" is not an IP',
    ),
    ("[[ingress.listener]]\naddress = '127.0.0.1'", 'F: ingress.listener[0].address: "127.0.0.1" has no port: write'),
    ("[[ingress.listener]]\naddress = '::1:25'", 'F: ingress.listener[0].address: "::1:25" is not an address: write'),
    (
        "[[ingress.listener]]\naddress = '[::]:99999'",
        'F: ingress.listener[0].address: "[::]:99999": port "99999" is not',
    ),
    ("[relay]\ntrusted_networks = ['300.1.2.3/8']", 'F: relay.trusted_networks[0]: "300.1.2.3/8" is not a network'),
    (
        "[relay]\ntrusted_networks = ['10.1.2.3/8']",
        'F: relay.trusted_networks[0]: "10.1.2.3/8" has bits set beyond its',
    ),
    ("[relay]\nown_addresses = ['here']", 'F: relay.own_addresses[0]: "here" is not an IP address'),
    ("[delivery]\nsource_address = '::1'", 'F: delivery.source_address: "::1" is not an IPv4 address'),
    ("[delivery]\nsource_address_v6 = '10.0.0.1'", 'F: delivery.source_address_v6: "10.0.0.1" is not an IPv6 address'),
    ("[relay]\npostmaster = 'postmaster'", 'F: relay.postmaster: "postmaster" is not a mailbox'),
    ("[relay]\ndenied_destinations = ['a b']", 'F: relay.denied_destinations[0]: "a b" is not a domain'),
    ("[relay.hosted]\n'exa mple' = 'mx'", 'F: relay.hosted."exa mple": "exa mple" is not a domain'),
    ("[relay.hosted]\n'*' = 'mx'", 'F: relay.hosted."*": "*" would host every domain and make an open relay'),
    ("[relay.hosted]\n'*.a.example' = 'mx'", 'F: relay.hosted."*.a.example": "*.a.example": write subdomains with a '),
    ("[relay.hosted]\n'me@a.example' = 'mx'", 'F: relay.hosted."me@a.example": "me@a.example" is an address: write'),
    ("[relay.hosted]\n'bücher.example' = 'mx'", 'write the domain in A-labels, "xn--bcher-kva.example"'),
    ("[relay.hosted]\n'A.example' = 'mx'\n'a.example' = 'mx'", 'F: relay.hosted."a.example": the same as another key'),
    ("[relay.hosted]\n'a.example' = 'host:x'", 'F: relay.hosted."a.example": "host:x": port "x" is not a number'),
    (
        "[relay.hosted]\n'a.example' = 'http://h'",
        'F: relay.hosted."a.example": "http" in the URL: valid are smtp, smtps',
    ),
    (
        "[relay.hosted]\n'a.example' = ['smtp://me@h']",
        'F: relay.hosted."a.example"[0]: the URL holds a user: of a hosted',
    ),
    ("[relay.hosted]\n'a.example' = 'smtp://me:hush@h'", 'F: relay.hosted."a.example": the URL holds a password: put'),
    ("[relay.hosted]\n'a.example' = 'smtp:///run/lmtp'", 'F: relay.hosted."a.example": the URL names no host'),
    ("[delivery.route]\n'a.example' = 'lmtp:///'", 'F: delivery.route."a.example": the URL names no host'),
    (
        "[relay.hosted]\n'a.example' = 5",
        'F: relay.hosted."a.example": expected text, a list or a table, found the number',
    ),
    ("[relay.hosted]\n'a.example' = {}", 'F: relay.hosted."a.example": "next_hop" is missing'),
    ("broker = 'rabbit://u:hush@h/'", 'F: broker: "rabbit" in the URL: valid are sqlite, amqp, amqps; write such as'),
    ("broker = 'queue.db'", "F: broker: no scheme in the URL: valid are sqlite, amqp, amqps"),
    ("broker = 'amqp://u:hush@h:port/'", "F: broker: the URL's port is not a number"),
    ("broker = 'amqp:///v'", "F: broker: the URL names no host"),
    ("broker = 'sqlite://queue.db'", "F: broker: an SQLite URL has three slashes and a path"),
    ("[delivery.route]\n'*' = 'http://h'", 'F: delivery.route."*": "http" in the URL: valid are smtp, smtps'),
    ("[delivery.route]\n'*' = 'smtp://u:hush@h'", 'F: delivery.route."*": the URL holds a password: put it into'),
    (
        "[delivery.tls_policy]\n'*' = 'secure'",
        'F: delivery.tls_policy."*": "secure" is not known: valid are none, may,',
    ),
    ("[delivery]\ndane = 'on'", 'F: delivery.dane: "on" is not known: valid are auto, off'),
    ("[delivery]\nnameservers = ['ns.example:53']", 'F: delivery.nameservers[0]: "ns.example" is not an IP address'),
    ("hostname = 'a b'", 'F: hostname: "a b" is not a domain'),
    ("[ops]\naddress = '9090'", 'F: ops.address: "9090" has no port'),
    ("broker_password_file = 'absent'", 'D/absent": No such file or directory; name a readable file'),
    ("broker_password_file = 'empty'", 'F: broker_password_file: "D/empty" is empty: write the secret into it'),
    ("broker_password_file = 'sluice.toml'\nbroker_password = 'hush'", 'F: broker_password_file: "broker_password" is'),
    ("broker_password = ''", "F: broker_password: empty: give the secret, or leave the key out"),
    ("broker_password = 5", "F: broker_password: expected text, found another type"),
    ("[delivery]\nroute_passwords_file = 'x'", "F: delivery.route_passwords_file: expected a table of files, found"),
    ("[tls]\nkey = ''", "F: tls.key: empty: name a file, or leave the key out"),
    ("a = \nb = 2", "F: not TOML: Invalid value (at line 1, column 5)"),
    ("a = 1\na = 2", "F: not TOML: Cannot overwrite a value (at "),
]


@pytest.mark.parametrize(("text", "line"), WRONG, ids=[text[:40] for text, _ in WRONG])
def test_each_mistake_gives_its_line(tmp_path: Path, text: str, line: str) -> None:
    """One line, that names file, key, reason and remedy, and never a secret."""
    path = written(tmp_path, text, empty="\n")
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    found = str(caught.value).replace(str(path), "F").replace(str(tmp_path), "D")
    assert line in found
    assert found.startswith("F: ")
    assert "\n" not in found
    assert "hush" not in found


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"SLUICE_HOSTNAM": "a"}, 'SLUICE_HOSTNAM: unknown variable; did you mean "SLUICE_HOSTNAME"?'),
        (
            {"SLUICE_INGRESS__MAX_RECIPIENT": "1"},
            'SLUICE_INGRESS__MAX_RECIPIENT: unknown variable; did you mean "SLUICE_INGRESS__MAX_RECIPIENTS"?',
        ),
        ({"SLUICE_INGRES__MAX_HOPS": "1"}, 'SLUICE_INGRES__MAX_HOPS: unknown variable; did you mean "SLUICE_INGRESS"?'),
        ({"SLUICE_INGRESS__MAX_HOPS": "x"}, 'SLUICE_INGRESS__MAX_HOPS: expected a whole number, found the text "x"'),
        ({"SLUICE_DELIVERY__RETRY": "1m,x"}, 'SLUICE_DELIVERY__RETRY: [1]: "x" is not a duration'),
        ({"SLUICE_TLS": "{certificat = 'c'}"}, 'SLUICE_TLS: certificat: unknown key; did you mean "certificate"?'),
        ({"SLUICE_TLS": "x"}, 'SLUICE_TLS: expected a table, found the text "x"'),
        ({"SLUICE_TLS": "{}", "SLUICE_TLS__KEY": "k"}, "SLUICE_TLS__KEY: SLUICE_TLS gives the whole table: keep one"),
        ({"SLUICE_RELAY__HOSTED__A": "mx"}, "SLUICE_RELAY__HOSTED__A: the names in relay.hosted cannot stand in a "),
        ({"SLUICE_BROKER_PASSWORD_FILE": "/absent"}, 'SLUICE_BROKER_PASSWORD_FILE: cannot read the secret from "/abs'),
        (
            {"SLUICE_BROKER_PASSWORD_FILE": "/absent", "SLUICE_BROKER_PASSWORD": "x"},
            'SLUICE_BROKER_PASSWORD_FILE: "broker_password" is given as well: keep one of them',
        ),
        ({"SLUICE_DELIVERY__ROUTE_PASSWORDS_FILE": "/x"}, "SLUICE_DELIVERY__ROUTE_PASSWORDS_FILE: expected a table of"),
    ],
)
def test_each_mistake_in_a_variable_names_it(variables: dict[str, str], line: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(line)}"):
        load(None, variables)


def test_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot read it: No such file or directory; name another"):
        load(tmp_path / "absent.toml", {})
    with pytest.raises(ConfigError, match="cannot read it: Is a directory"):
        load(tmp_path, {})


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "sluice.toml"
    path.write_bytes(b'hostname = "\xff"')
    with pytest.raises(ConfigError, match="not UTF-8 text at octet 12"):
        load(path, {})


def test_the_first_file_that_exists_is_found(tmp_path: Path) -> None:
    second = written(tmp_path, "")
    assert find(None, (tmp_path / "absent", second)) == second
    assert find(None, (tmp_path / "absent",)) is None
    assert find(tmp_path / "given", (second,)) == tmp_path / "given"
