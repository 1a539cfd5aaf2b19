"""Reports about the fate of a message (DSN): RFC 3464 inside the multipart/report of RFC 6522."""
