"""Who vouches for a message: SPF, DKIM and DMARC, and the field that says what was found (RFC 8601)."""
