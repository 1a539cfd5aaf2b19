"""Reading MIME from raw octets: every part with its exact byte range, every name, and what is in doubt."""
