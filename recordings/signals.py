"""Said upwards, to whoever shows things live. Sent after the commit, once per event."""

from django.dispatch import Signal

# Arguments: session (Session), number (int), kind (str).
event_appended = Signal()
