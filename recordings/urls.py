from django.urls import path

from recordings.views import replay, sessions, trail

app_name = "recordings"
urlpatterns = [
    path("sessions/", sessions.sessions, name="list"),
    path("sessions/<uuid:session_id>/", replay.replay, name="replay"),
    path("sessions/<uuid:session_id>/export", replay.export, name="export"),
    path("sessions/<uuid:session_id>/close", replay.close, name="close"),
    path("sessions/<uuid:session_id>/payloads/<uuid:payload_id>/", replay.payload, name="payload"),
    path("audit/", trail.audit, name="audit"),
]
