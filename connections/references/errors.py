"""What can go wrong with a reference. No text holds a value."""


class ReferenceRefused(Exception):
    """The operator has not opened this place, or it is not written as one."""


class ReferenceUnavailable(Exception):
    """The place may be read, but there is nothing to read now."""
