"""What was seen inside an attachment, for tests to compare."""

from services.screener.containers.contents import Contents


def names(contents: Contents) -> list[str]:
    """Return the path of every file inside."""
    return [inside.path for inside in contents.inside]


def has_program(contents: Contents) -> bool:
    """Return whether one of them is a program by its content."""
    return any(one.extension == "exe" for inside in contents.inside for one in inside.detected)
