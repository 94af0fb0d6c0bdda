"""Outside the app's name: mozilla-django-oidc looks these up without one."""

from django.urls import path

from accounts.views import oidc, oidc_sign_out

urlpatterns = [
    path("authenticate/", oidc.Start.as_view(), name="oidc_authentication_init"),
    path("callback/", oidc.Callback.as_view(), name="oidc_authentication_callback"),
    path("backchannel-logout/", oidc_sign_out.back_channel, name="oidc_back_channel_logout"),
]
