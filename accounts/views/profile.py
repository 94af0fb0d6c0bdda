"""One's own account: what one may do, where one is signed in, the password."""

from uuid import UUID

from django.conf import settings
from django.contrib import auth, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import seams, services
from accounts.addresses import address_of
from accounts.forms import ChangePasswordForm
from accounts.middleware import there_if
from accounts.models import Agent, RoleGrant, SignIn
from accounts.views import common
from accounts.views.roles import described
from hoopweb.lib.errors import HoopwebError


@require_GET
def profile(request: HttpRequest) -> HttpResponse:
    """Your roles, teams and open browsers."""
    person = common.viewer(request)
    grants = RoleGrant.objects.of(person).select_related("team")
    context = {
        "person": person,
        "roles": described(grants, seams.connection_names()),
        "teams": person.teams.all(),
        "agents": Agent.objects.filter(owner=person),
        "browsers": SignIn.objects.visible_to(person).open(),
        "here": request.session.session_key,
        "has_password": settings.LOCAL_ACCOUNTS and person.has_usable_password(),
    }
    return render(request, "accounts/profile.html", context)


@there_if("LOCAL_ACCOUNTS")
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    """Change your own password."""
    person = common.viewer(request)
    form = ChangePasswordForm(common.posted(request), user=person)
    if request.method == "POST" and form.is_valid():
        try:
            services.change_password(
                user=person,
                old=form.cleaned_data["old"],
                new=form.cleaned_data["new"],
                keep=request.session.session_key,
                address=address_of(request),
            )
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            former = request.session.session_key
            auth.update_session_auth_hash(request, person)
            services.keep_sign_in(request=request, user=person, former=former)
            messages.success(request, "Your password is changed. Other browsers are signed out.")
            return redirect("accounts:profile")
    status = 422 if form.errors else 200
    return render(request, "accounts/password.html", {"form": form}, status=status)


@require_POST
def end_sign_in(request: HttpRequest, sign_in_id: UUID) -> HttpResponse:
    """Sign one of your own browsers out."""
    person = common.viewer(request)
    found = get_object_or_404(SignIn.objects.visible_to(person), pk=sign_in_id)
    services.end_sign_in(sign_in=found, by=person, address=address_of(request))
    messages.success(request, "That browser is signed out.")
    return redirect("accounts:profile")
