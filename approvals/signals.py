"""The one word that goes upwards: a request was decided."""

from django.dispatch import Signal

# Sent inside the deciding transaction, with ``request`` (the ApprovalRequest, locked).
request_decided = Signal()
