from django.urls import path

from connections import views

app_name = "connections"

urlpatterns = [
    path("connections/", views.listing, name="list"),
    path("connections/new/", views.new, name="new"),
    path("connections/<slug:name>/", views.detail, name="detail"),
    path("connections/<slug:name>/edit/", views.edit, name="edit"),
    path("connections/<slug:name>/credential/", views.credential, name="credential"),
    path("connections/<slug:name>/key/", views.rotation, name="rotation"),
    path("connections/<slug:name>/key/start/", views.start_rotation, name="start-rotation"),
    path("connections/<slug:name>/key/next/", views.advance_rotation, name="advance-rotation"),
    path("connections/<slug:name>/key/undo/", views.undo_rotation, name="undo-rotation"),
    path("connections/<slug:name>/state/", views.set_state, name="state"),
    path("connections/<slug:name>/test/", views.test, name="test"),
    path("connections/<slug:name>/test/stop/", views.stop_test, name="stop-test"),
    path("connections/<slug:name>/setup/", views.setup, name="setup"),
    path("connections/<slug:name>/setup/discard/", views.discard, name="discard"),
    path("connections/<slug:name>/setup/<slug:step>/", views.setup_step, name="setup-step"),
    path("connections/<slug:name>/sampling/", views.sampling, name="sampling"),
    path("connections/<slug:name>/sampling/stop/", views.stop_sampling, name="stop-sampling"),
    path("connections/<slug:name>/sync/", views.sync, name="sync"),
    path("connections/<slug:name>/access/", views.add_access, name="access"),
    path(
        "connections/<slug:name>/access/<uuid:access_id>/remove/",
        views.remove_access,
        name="remove-access",
    ),
    path("connections/<slug:name>/catalogue/", views.catalogue, name="catalogue"),
    path("policy/", views.policy, name="policy"),
    path("policy/simulate/", views.simulate, name="simulate"),
    path("policy/<slug:name>/", views.rules, name="rules"),
    path("policy/<slug:name>/default/", views.install_default, name="install-default"),
    path("policy/<slug:name>/export/", views.export, name="export"),
    path("policy/<slug:name>/rules/new/", views.new_rule, name="new-rule"),
    path("policy/<slug:name>/rules/<slug:slug>/", views.edit_rule, name="edit-rule"),
    path("policy/<slug:name>/rules/<slug:slug>/move/", views.move_rule, name="move-rule"),
    path("policy/<slug:name>/rules/<slug:slug>/switch/", views.switch_rule, name="switch-rule"),
    path("policy/<slug:name>/rules/<slug:slug>/delete/", views.delete_rule, name="delete-rule"),
    path("policy/<slug:name>/protections/", views.protections, name="protections"),
    path("policy/<slug:name>/protections/new/", views.new_protection, name="new-protection"),
    path("policy/<slug:name>/protections/suggested/", views.accept, name="accept-suggestions"),
    path(
        "policy/<slug:name>/protections/<uuid:protection_id>/",
        views.edit_protection,
        name="edit-protection",
    ),
    path(
        "policy/<slug:name>/protections/<uuid:protection_id>/switch/",
        views.switch_protection,
        name="switch-protection",
    ),
    path(
        "policy/<slug:name>/protections/<uuid:protection_id>/delete/",
        views.delete_protection,
        name="delete-protection",
    ),
    path("policy/<slug:name>/revisions/", views.revisions, name="revisions"),
    path("policy/<slug:name>/revisions/<int:number>/", views.revision, name="revision"),
    path("policy/<slug:name>/revisions/<int:number>/restore/", views.restore, name="restore"),
]
