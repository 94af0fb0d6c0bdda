"""Real servers for a laptop and for tests, from wheels, all on local sockets.

Nothing here knows Django: these servers exist before settings can be read.
"""
