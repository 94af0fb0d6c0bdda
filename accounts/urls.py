from django.urls import path

from accounts.views import agents, oidc_sign_out, people, profile, roles, sign_in, tokens

app_name = "accounts"

_AGENT = "agents/<uuid:agent_id>"
_TOKEN = f"{_AGENT}/tokens/<uuid:token_id>"

urlpatterns = [
    path("sign-in/", sign_in.sign_in, name="sign-in"),
    # First, because it also ends the provider's session; whom that concerns not, it hands on.
    path("sign-out/", oidc_sign_out.sign_out, name="sign-out"),
    path("profile/", profile.profile, name="profile"),
    path("profile/password/", profile.password, name="password"),
    path("profile/browsers/<uuid:sign_in_id>/end/", profile.end_sign_in, name="end-sign-in"),
    path("agents/", agents.listing, name="agents"),
    path("agents/new/", agents.new, name="agent-new"),
    path(f"{_AGENT}/", agents.detail, name="agent"),
    path(f"{_AGENT}/edit/", agents.edit, name="agent-edit"),
    path(f"{_AGENT}/switch/", agents.switch, name="agent-switch"),
    path(f"{_AGENT}/tokens/new/", tokens.new, name="token-new"),
    path(f"{_TOKEN}/rotate/", tokens.rotate, name="token-rotate"),
    path(f"{_TOKEN}/revoke/", tokens.revoke, name="token-revoke"),
    path("settings/", people.listing, name="people"),
    path("settings/people/new/", people.new_person, name="person-new"),
    path("settings/people/<uuid:person_id>/", people.person, name="person"),
    path("settings/people/<uuid:person_id>/switch/", people.switch_person, name="person-switch"),
    path("settings/teams/new/", people.new_team, name="team-new"),
    path("settings/teams/<uuid:team_id>/", people.team, name="team"),
    path("settings/people/<uuid:person_id>/roles/", roles.grant, name="grant-person"),
    path("settings/teams/<uuid:team_id>/roles/", roles.grant, name="grant-team"),
    path("settings/roles/<uuid:grant_id>/revoke/", roles.revoke, name="revoke-role"),
]
