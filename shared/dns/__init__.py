"""DNS: a port of plain values, and dnspython behind it."""
