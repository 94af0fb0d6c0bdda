"""What can go wrong with a local server, said so that a person can act on it."""


class LocalServerError(RuntimeError):
    """A local server is missing, did not start, or did not stop."""
