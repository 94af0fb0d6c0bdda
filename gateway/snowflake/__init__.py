"""The door for Snowflake's own drivers: it parses, calls and renders, and decides nothing."""
