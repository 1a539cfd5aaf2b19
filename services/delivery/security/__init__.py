"""What protects a session with a next hop."""
