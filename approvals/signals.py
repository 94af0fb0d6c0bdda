"""The one word that goes upwards: a request was decided."""

from django.dispatch import Signal

# Sent inside the deciding transaction, with ``request`` (the ApprovalRequest, locked) and
# ``reason`` (words for the one who asked, or empty).
request_decided = Signal()
