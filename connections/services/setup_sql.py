"""The SQL that gives Snowflake a user and a role for us, with as few rights as will do. Pure."""

from connections.models import Connection, Credential
from connections.services.places import quoted_name, stored_name


def setup_statements(connection: Connection, credential: Credential | None) -> str:
    """A script for an administrator of Snowflake to read, change and run."""
    role = quoted_name(connection.role or "HOOPWEB_READER")
    user = quoted_name(stored_name(credential.login_name if credential else "HOOPWEB"))
    warehouse = quoted_name(connection.warehouse or "HOOPWEB_WH")
    names = connection.catalogue_databases or [connection.database or "YOUR_DATABASE"]
    lines = [
        "-- A role, a user and a network policy for Hoopweb.",
        "USE ROLE SECURITYADMIN;",
        f"CREATE ROLE IF NOT EXISTS {role};",
        f"CREATE USER IF NOT EXISTS {user} TYPE = SERVICE",
        f"  DEFAULT_ROLE = {role} DEFAULT_WAREHOUSE = {warehouse}",
        "  DEFAULT_SECONDARY_ROLES = ();",
        f"GRANT ROLE {role} TO USER {user};",
    ]
    if credential is not None and credential.method == Credential.Method.KEY_PAIR:
        key = credential.public["public_key"]
        lines.append(f"ALTER USER {user} SET RSA_PUBLIC_KEY = '{key}';")
    lines += [
        "-- Put the addresses in that your gateway and its workers call from.",
        "CREATE NETWORK POLICY IF NOT EXISTS HOOPWEB_ONLY",
        "  ALLOWED_IP_LIST = ('203.0.113.10/32');",
        f"ALTER USER {user} SET NETWORK_POLICY = HOOPWEB_ONLY;",
        "",
        "-- A warehouse of its own, so that cost and load can be told apart.",
        "USE ROLE SYSADMIN;",
        f"CREATE WAREHOUSE IF NOT EXISTS {warehouse} WAREHOUSE_SIZE = XSMALL",
        "  AUTO_SUSPEND = 60 AUTO_RESUME = TRUE INITIALLY_SUSPENDED = TRUE",
        f"  STATEMENT_TIMEOUT_IN_SECONDS = {connection.timeout_seconds};",
        f"GRANT USAGE ON WAREHOUSE {warehouse} TO ROLE {role};",
    ]
    for name in names:
        database = quoted_name(name)
        lines += [
            "",
            f"-- Reading {database}, and what is added to it later.",
            f"GRANT USAGE ON DATABASE {database} TO ROLE {role};",
            f"GRANT USAGE ON ALL SCHEMAS IN DATABASE {database} TO ROLE {role};",
            f"GRANT USAGE ON FUTURE SCHEMAS IN DATABASE {database} TO ROLE {role};",
            f"GRANT SELECT ON ALL TABLES IN DATABASE {database} TO ROLE {role};",
            f"GRANT SELECT ON FUTURE TABLES IN DATABASE {database} TO ROLE {role};",
            f"GRANT SELECT ON ALL VIEWS IN DATABASE {database} TO ROLE {role};",
            f"GRANT SELECT ON FUTURE VIEWS IN DATABASE {database} TO ROLE {role};",
        ]
    first = quoted_name(names[0])
    lines += [
        "",
        "-- Only where reviewed writes shall be possible, table by table:",
        f"-- GRANT INSERT, UPDATE, DELETE ON TABLE {first}.<schema>.<table> TO ROLE {role};",
    ]
    return "\n".join(lines)
