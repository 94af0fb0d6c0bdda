"""Real drivers, each in an environment of its own, against the wire door."""
