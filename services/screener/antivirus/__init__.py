"""Virus scanning by clamd: what is scanned, what its answers mean, and waiting while it is away."""
