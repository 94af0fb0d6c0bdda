"""A local warehouse that speaks Snowflake's session protocol, for laptops and for tests.

DuckDB answers through ``fakesnow``; this front adds what a real account does and that lacks:
token lifetimes, results by id, long polling, request ids that join, chunks, a query history.
"""
