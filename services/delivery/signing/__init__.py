"""Signatures on what leaves: DKIM for our own mail (RFC 6376, 8463), ARC for strangers' that we changed (RFC 8617)."""
