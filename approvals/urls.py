from django.urls import path

from approvals import views

app_name = "approvals"
urlpatterns = [
    path("", views.inbox, name="list"),
    path("grants/", views.grants, name="grants"),
    path("grants/<uuid:grant_id>/revoke/", views.revoke_grant, name="revoke-grant"),
    path("<uuid:request_id>/", views.detail, name="detail"),
    path("<uuid:request_id>/vote/", views.vote, name="vote"),
    path("<uuid:request_id>/revoke/", views.revoke, name="revoke"),
    path("<uuid:request_id>/withdraw/", views.withdraw, name="withdraw"),
]
