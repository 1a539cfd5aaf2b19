"""What EHLO announces, as a pure function of the moment (RFC 5321 section 4.1.1.1)."""


def keywords(size_limit: int, *, starttls: bool, auth: tuple[str, ...], dsn_and_utf8: bool) -> list[str]:
    """Return the lines of the EHLO reply after the first.

    SIZE 1870, 8BITMIME 6152, ENHANCEDSTATUSCODES 2034, CHUNKING 3030 (without BINARYMIME), PIPELINING 2920,
    STARTTLS 3207, AUTH 4954, DSN 3461, SMTPUTF8 6531.
    """
    lines = ["PIPELINING", f"SIZE {size_limit:d}", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING"]
    if starttls:
        lines.append("STARTTLS")
    if auth:
        lines.append(f"AUTH {' '.join(auth)}")
    return [*lines, "DSN", "SMTPUTF8"] if dsn_and_utf8 else lines
