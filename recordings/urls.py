from django.urls import path

from recordings.views import replay, sessions, sinks, trail

app_name = "recordings"
urlpatterns = [
    path("sessions/", sessions.sessions, name="list"),
    path("sessions/<uuid:session_id>/", replay.replay, name="replay"),
    path("sessions/<uuid:session_id>/export", replay.export, name="export"),
    path("sessions/<uuid:session_id>/close", replay.close, name="close"),
    path("sessions/<uuid:session_id>/payloads/<uuid:payload_id>/", replay.payload, name="payload"),
    path("audit/", trail.audit, name="audit"),
    path("settings/sinks/", sinks.listing, name="sinks"),
    path("settings/sinks/new/", sinks.new, name="sink-new"),
    path("settings/sinks/<uuid:sink_id>/switch/", sinks.switch, name="sink-switch"),
    path("settings/sinks/<uuid:sink_id>/test/", sinks.test, name="sink-test"),
    path("settings/sinks/<uuid:sink_id>/delete/", sinks.delete, name="sink-delete"),
]
