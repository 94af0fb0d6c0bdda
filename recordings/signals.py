"""Said upwards, to whoever shows things live. Sent after the commit, once for all of a call."""

from django.dispatch import Signal

# Argument: session (Session).
event_appended = Signal()
