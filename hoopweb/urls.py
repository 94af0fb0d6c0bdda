from django.urls import include, path

from hoopweb import views

handler404 = "hoopweb.views.not_found"
handler403 = "hoopweb.views.forbidden"
handler500 = "hoopweb.views.server_error"

urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
]
