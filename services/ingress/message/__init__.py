"""What comes after DATA: octets, the trace fields in front of them, the way into the broker."""
