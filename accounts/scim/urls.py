"""Everything under ``/scim/v2``."""

from django.urls import path, re_path

from accounts.scim import views

app_name = "scim"

urlpatterns = [
    path("ServiceProviderConfig", views.config, name="config"),
    path("ResourceTypes", views.resource_types, name="resource-types"),
    path("ResourceTypes/<str:name>", views.resource_type, name="resource-type"),
    path("Schemas", views.schemas, name="schemas"),
    path("Schemas/<str:name>", views.schema, name="schema"),
    path("Users", views.collection(views.USERS), name="users"),
    path("Users/<uuid:row_id>", views.single(views.USERS), name="user"),
    path("Groups", views.collection(views.GROUPS), name="groups"),
    path("Groups/<uuid:row_id>", views.single(views.GROUPS), name="group"),
    re_path(r"^.*$", views.nowhere, name="nowhere"),
]
