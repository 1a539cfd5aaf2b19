"""Delivery: from one screened message to a next hop's answer, and to what follows from it."""
