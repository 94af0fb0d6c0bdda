"""The way to Snowflake: log in, submit, wait, fetch, ask what became of it. IO only, no Django.

``client.connect`` opens a session; everything else hangs on it.
"""
