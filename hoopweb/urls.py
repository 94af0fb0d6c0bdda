from django.conf import settings
from django.urls import include, path

from gateway.agents import activity
from gateway.found import found
from gateway.line import line
from gateway.overview import overview
from gateway.search import search
from hoopweb import views

handler404 = "hoopweb.views.not_found"
handler403 = "hoopweb.views.forbidden"
handler500 = "hoopweb.views.server_error"

urlpatterns = [
    path("", overview, name="overview"),
    path("search/", search, name="search"),
    path("approvals/", include("approvals.urls")),
    path("statements/<uuid:statement_id>/line/", line, name="statement-line"),
    path("", include("recordings.urls")),
    path("", include("connections.urls")),
    path("", include("accounts.urls")),
    path("oidc/", include("accounts.oidc.urls")),
    path("agents/<uuid:agent_id>/activity/", activity, name="agent-activity"),
    path("policy/<slug:name>/found/", found, name="detectors-found"),
    path("api/", include("gateway.rest.urls")),
    path("scim/v2/", include("accounts.scim.urls")),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
]

if settings.DEBUG:
    from hoopweb.styleguide import styleguide

    urlpatterns.append(path("styleguide/", styleguide, name="styleguide"))
