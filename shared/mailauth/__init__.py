"""What verifying and signing have in common: fields, canonical forms, tags (RFC 6376). No I/O."""
