"""The broker: a port, the topology as data, the one loop that settles messages, and two adapters."""
