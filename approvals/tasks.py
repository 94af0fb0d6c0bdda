"""What time does to requests."""

from celery import shared_task
from django.utils import timezone

from approvals import services
from approvals.models import ApprovalRequest
from approvals.states import RequestState

_BATCH = 200


@shared_task
def expire_requests() -> int:
    """Expire pending requests whose time is up; returns how many."""
    due = ApprovalRequest.objects.filter(
        state=RequestState.PENDING, expires_at__lte=timezone.now()
    ).values_list("pk", flat=True)[:_BATCH]
    return sum(services.expire(request_id=pk) for pk in due)
