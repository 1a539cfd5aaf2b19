"""How many files a process may have open, each connection being one."""

import resource


def raise_limit() -> int:
    """Raise the soft limit as far as the system lets us, and return it.

    It is low (1024 mostly) for the sake of programs that use select(), and neither event loop does.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
