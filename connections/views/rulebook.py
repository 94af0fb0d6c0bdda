"""Writing, ordering and switching rules."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from connections import services
from connections.models import Connection, Rule
from connections.policy_forms import RuleForm
from connections.views import common
from connections.views.policies import frame, rules_context
from connections.views.sentences import sentence_of, terms_of
from hoopweb.lib.errors import Conflict, HoopwebError
from hoopweb.lib.htmx import is_part, say


def _rule(row: Connection, slug: str) -> Rule:
    rule = row.rules.filter(slug=slug).first()
    if rule is None:
        raise Http404
    return rule


@require_http_methods(["GET", "POST"])
def new_rule(request: HttpRequest, name: str) -> HttpResponse:
    """Write a rule."""
    row = common.changeable(request, name)
    form = RuleForm(request.POST or None, row=row)
    if request.method == "POST" and form.is_valid():
        try:
            rule = services.create_rule(
                connection=row,
                slug=form.cleaned_data["slug"],
                place=int(form.cleaned_data["place"]),
                **form.values(),
                **common.acting(request),
            )
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            messages.success(request, f"Rule {rule.slug} is in force.")
            return redirect("connections:rules", row.name)
    context = frame(request, row, "rules") | {"form": form}
    return render(request, "connections/rule.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def edit_rule(request: HttpRequest, name: str, slug: str) -> HttpResponse:
    """Change a rule; its sentence stands in the list for those who may not."""
    row = common.changeable(request, name)
    rule = _rule(row, slug)
    form = RuleForm(request.POST or None, row=row, rule=rule, initial=RuleForm.initial_of(rule))
    changed_by_other = False
    if request.method == "POST" and form.is_valid():
        try:
            services.update_rule(
                rule=rule,
                revision=form.cleaned_data["revision"],
                **form.values(),
                **common.acting(request),
            )
        except Conflict as error:
            common.take_over(form, error)
            changed_by_other = True
            # What was typed stays; saving again is a decision made in sight of the other's.
            form.renew_revision(error.fields.get("revision", rule.revision))
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            messages.success(request, f"Rule {rule.slug} is saved and in force.")
            return redirect("connections:rules", row.name)
    if changed_by_other:
        rule.refresh_from_db()
    context = frame(request, row, "rules") | {
        "form": form,
        "rule": rule,
        "sentence": sentence_of(rule.match),
        "terms": terms_of(rule) if rule.effect == "review" else "",
        "changed_by_other": changed_by_other,
    }
    return render(request, "connections/rule.html", context, status=422 if form.errors else 200)


@require_POST
def move_rule(request: HttpRequest, name: str, slug: str) -> HttpResponse:
    """Put a rule earlier or later in the order."""
    row = common.changeable(request, name)
    rule = _rule(row, slug)
    places = {"up": rule.position - 1, "down": rule.position + 1}
    place = places.get(request.POST.get("to", ""), common.whole(request.POST.get("to")))
    if place is None:
        return _answer(request, row, "Nothing moved: choose up, down or a place.", "error")
    try:
        rule = services.move_rule(
            rule=rule,
            place=place,
            policy_revision=common.whole(request.POST.get("policy_revision")),
            **common.acting(request),
        )
    except HoopwebError as error:
        return _answer(request, row, error.detail, "error")
    return _answer(request, row, f"{rule.slug} is asked at place {rule.position}.")


@require_POST
def switch_rule(request: HttpRequest, name: str, slug: str) -> HttpResponse:
    """Switch a rule off or on."""
    row = common.changeable(request, name)
    enabled = request.POST.get("enabled") == "1"
    try:
        services.set_rule_enabled(
            rule=_rule(row, slug),
            enabled=enabled,
            revision=common.whole(request.POST.get("revision")),
            **common.acting(request),
        )
    except HoopwebError as error:
        return _answer(request, row, error.detail, "error")
    return _answer(request, row, f"{slug} is {'in force' if enabled else 'switched off'}.")


@require_POST
def delete_rule(request: HttpRequest, name: str, slug: str) -> HttpResponse:
    """Delete a rule."""
    row = common.changeable(request, name)
    try:
        services.delete_rule(
            rule=_rule(row, slug),
            revision=common.whole(request.POST.get("revision")),
            **common.acting(request),
        )
    except HoopwebError as error:
        return _answer(request, row, error.detail, "error")
    return _answer(request, row, f"Rule {slug} is deleted. Revisions bring it back.")


def _answer(
    request: HttpRequest, row: Connection, text: str, level: str = "success"
) -> HttpResponse:
    """The list as it now stands, for htmx; else the page again, with the same words."""
    if is_part(request):
        row.refresh_from_db()
        response = render(request, "connections/_rules.html", rules_context(request, row))
        return say(response, text, level)
    if level == "error":
        messages.error(request, text)
    else:
        messages.success(request, text)
    return redirect("connections:rules", row.name)
