from django.urls import path

from accounts.views import (
    agents,
    directories,
    issuers,
    links,
    mapping,
    oidc_sign_out,
    people,
    profile,
    roles,
    saml,
    sign_in,
    tokens,
)

app_name = "accounts"

_AGENT = "agents/<uuid:agent_id>"
_ISSUER = "settings/issuers/<uuid:issuer_id>"
_DIRECTORY = "settings/directories/<uuid:directory_id>"
_TOKEN = f"{_AGENT}/tokens/<uuid:token_id>"
_NEWCOMER = "settings/people/<uuid:person_id>/newcomers/<uuid:newcomer_id>"

urlpatterns = [
    path("sign-in/", sign_in.sign_in, name="sign-in"),
    path("sign-in/local-accounts/", sign_in.local_accounts, name="local-accounts"),
    # First, because it also ends the provider's session; whom that concerns not, it hands on.
    path("sign-out/", oidc_sign_out.sign_out, name="sign-out"),
    path("saml/start/", saml.start, name="saml-start"),
    path("saml/acs/", saml.acs, name="saml-acs"),
    path("saml/finish/<uuid:sign_in_id>/", saml.finish, name="saml-finish"),
    path("saml/logout/", saml.single_logout, name="saml-logout"),
    path("saml/metadata/", saml.metadata, name="saml-metadata"),
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
    path(f"{_AGENT}/identities/new/", issuers.new_identity, name="identity-new"),
    path(
        f"{_AGENT}/identities/<uuid:identity_id>/remove/",
        issuers.remove_identity,
        name="identity-remove",
    ),
    path("settings/", people.listing, name="people"),
    path("settings/issuers/", issuers.listing, name="issuers"),
    path("settings/issuers/new/", issuers.new, name="issuer-new"),
    path(f"{_ISSUER}/", issuers.detail, name="issuer"),
    path(f"{_ISSUER}/fetch/", issuers.fetch, name="issuer-fetch"),
    path(f"{_ISSUER}/switch/", issuers.switch, name="issuer-switch"),
    path(f"{_ISSUER}/delete/", issuers.delete, name="issuer-delete"),
    path("settings/mapping/", mapping.listing, name="mapping"),
    path("settings/mapping/try/", mapping.try_out, name="mapping-try"),
    path("settings/mapping/people/new/", mapping.person_rule, name="person-rule-new"),
    path("settings/mapping/people/<uuid:rule_id>/", mapping.person_rule, name="person-rule"),
    path("settings/mapping/agents/new/", mapping.agent_rule, name="agent-rule-new"),
    path("settings/mapping/agents/<uuid:agent_rule_id>/", mapping.agent_rule, name="agent-rule"),
    path("settings/mapping/<uuid:rule_id>/change/", mapping.change, name="mapping-change"),
    path("settings/people/new/", people.new_person, name="person-new"),
    path("settings/people/<uuid:person_id>/", people.person, name="person"),
    path("settings/people/<uuid:person_id>/switch/", people.switch_person, name="person-switch"),
    path(f"{_NEWCOMER}/link/", links.link, name="newcomer-link"),
    path(f"{_NEWCOMER}/dismiss/", links.dismiss, name="newcomer-dismiss"),
    path(
        "settings/people/<uuid:person_id>/links/<uuid:link_id>/remove/",
        links.unlink,
        name="person-unlink",
    ),
    path("settings/directories/", directories.listing, name="directories"),
    path("settings/directories/new/", directories.new, name="directory-new"),
    path(f"{_DIRECTORY}/", directories.detail, name="directory"),
    path(f"{_DIRECTORY}/switch/", directories.switch, name="directory-switch"),
    path(f"{_DIRECTORY}/tokens/new/", directories.new_token, name="directory-token-new"),
    path(
        f"{_DIRECTORY}/tokens/<uuid:key_row_id>/rotate/",
        directories.rotate_token,
        name="directory-token-rotate",
    ),
    path(
        f"{_DIRECTORY}/tokens/<uuid:key_row_id>/revoke/",
        directories.revoke_token,
        name="directory-token-revoke",
    ),
    path("settings/teams/new/", people.new_team, name="team-new"),
    path("settings/teams/<uuid:team_id>/", people.team, name="team"),
    path("settings/people/<uuid:person_id>/roles/", roles.grant, name="grant-person"),
    path("settings/teams/<uuid:team_id>/roles/", roles.grant, name="grant-team"),
    path("settings/roles/<uuid:grant_id>/revoke/", roles.revoke, name="revoke-role"),
]
