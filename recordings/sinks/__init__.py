"""Copies of the trail and of sessions' events to places outside. docs/siem.md has the format."""
