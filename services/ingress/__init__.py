"""The front door: SMTP in, policy, and a durable message for the screener before the 250."""
