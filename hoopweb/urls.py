from importlib.util import find_spec

from django.conf import settings
from django.urls import include, path

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
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
]

for prefix, module in (
    ("", "recordings.urls"),
    ("", "connections.urls"),
    ("", "accounts.urls"),
    ("api/", "gateway.rest.urls"),
):
    if find_spec(module):
        urlpatterns.append(path(prefix, include(module)))

if find_spec("gateway.agents"):
    from gateway.agents import activity

    urlpatterns.append(path("agents/<uuid:agent_id>/activity/", activity, name="agent-activity"))

if settings.DEBUG:
    from hoopweb.styleguide import styleguide

    urlpatterns.append(path("styleguide/", styleguide, name="styleguide"))
