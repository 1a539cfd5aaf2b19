"""Errors that mean "cannot continue". Everything a remote or a user may cause is a value instead."""


class SluiceError(Exception):
    """Base of every error of ours; its text names the place, the reason and the remedy in one line."""


class ConfigError(SluiceError):
    """The configuration cannot be used; the process exits with status 2."""


class BrokerError(SluiceError):
    """The broker did not make a message durable."""


class BrokerUnavailable(BrokerError):  # noqa: N818  (a state, in the words of SMTP's 451)
    """Not connected, blocked, or no confirm in time: try again later."""


class BrokerFull(BrokerError):  # noqa: N818  (the same, 452)
    """A queue refused the message for its length, or the disk is full: try again later."""


class MessageTooLarge(BrokerError):  # noqa: N818  (the same, 552)
    """The broker can never take a message of this size."""


class WireError(SluiceError):
    """A broker message's body is not one of ours, or of no version we know."""
