"""A zone for tests of look-ups, and a clock that is set."""

ZONE = {
    "example.org": {"MX": ["20 MX2.example.org.", "10 mx1.example.org."], "A": ["192.0.2.9"]},
    "mx1.example.org": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
    "bare.example.org": {"A": ["192.0.2.3"]},
    "null.example.org": {"MX": ["0 ."]},
    "alias.example.org": {"CNAME": ["mx1.example.org."]},
    "empty.example.org": {},
    "text.example.org": {"TXT": ['"v=spf1 " "-all"', '"two"', '"\\195\\188"']},
    "1.2.0.192.in-addr.arpa": {"PTR": ["MX1.example.org.", "other.example.org."]},
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa": {"PTR": ["mx1.example.org."]},
}


class Hands:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
