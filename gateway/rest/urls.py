"""Everything under ``/api/``. Paths of version 1 have no trailing slash."""

from django.urls import path, re_path

from gateway.rest.views import (
    agents,
    approvals,
    connections,
    detectors,
    policy,
    recordings,
    reference,
    sessions,
    statements,
)

app_name = "api"

_SESSION = "v1/sessions/<uuid:session_id>"
_STATEMENT = "v1/statements/<uuid:statement_id>"
_APPROVAL = "v1/approvals/<uuid:approval_id>"
_DETECTORS = "v1/connections/<uuid:connection_id>/detectors"
_RULE = "v1/rules/<uuid:rule_id>"
_TOKENS = "v1/agents/<uuid:agent_id>/tokens"

urlpatterns = [
    path("v1/connections", connections.Connections.as_view(), name="connections"),
    path(
        "v1/connections/<uuid:connection_id>",
        connections.ConnectionDetail.as_view(),
        name="connection",
    ),
    path("v1/sessions", sessions.Sessions.as_view(), name="sessions"),
    path(_SESSION, sessions.SessionDetail.as_view(), name="session"),
    path(f"{_SESSION}/messages", sessions.SessionMessages.as_view(), name="session-messages"),
    path(f"{_SESSION}/events", sessions.SessionEvents.as_view(), name="session-events"),
    path(f"{_SESSION}/close", sessions.SessionClose.as_view(), name="session-close"),
    path("v1/statements", statements.Statements.as_view(), name="statements"),
    path(_STATEMENT, statements.StatementDetail.as_view(), name="statement"),
    path(f"{_STATEMENT}/result", statements.StatementResult.as_view(), name="statement-result"),
    path(f"{_STATEMENT}/cancel", statements.StatementCancel.as_view(), name="statement-cancel"),
    path("v1/approvals", approvals.Approvals.as_view(), name="approvals"),
    path(_APPROVAL, approvals.ApprovalDetail.as_view(), name="approval"),
    path(f"{_APPROVAL}/votes", approvals.ApprovalVotes.as_view(), name="approval-votes"),
    path(f"{_APPROVAL}/revoke", approvals.ApprovalRevoke.as_view(), name="approval-revoke"),
    path("v1/grants", approvals.Grants.as_view(), name="grants"),
    path("v1/grants/<uuid:grant_id>/revoke", approvals.GrantRevoke.as_view(), name="grant-revoke"),
    path("v1/rules", policy.Rules.as_view(), name="rules"),
    path(_RULE, policy.RuleDetail.as_view(), name="rule"),
    path(f"{_RULE}/place", policy.RulePlace.as_view(), name="rule-place"),
    path("v1/protections", policy.Protections.as_view(), name="protections"),
    path(
        "v1/protections/<uuid:protection_id>",
        policy.ProtectionDetail.as_view(),
        name="protection",
    ),
    path(_DETECTORS, detectors.Detectors.as_view(), name="detectors"),
    path(f"{_DETECTORS}/<slug:detector>", detectors.DetectorDetail.as_view(), name="detector"),
    path(_TOKENS, agents.AgentTokens.as_view(), name="agent-tokens"),
    path(
        f"{_TOKENS}/<uuid:token_id>/rotate",
        agents.AgentTokenRotate.as_view(),
        name="agent-token-rotate",
    ),
    path(
        f"{_TOKENS}/<uuid:token_id>/revoke",
        agents.AgentTokenRevoke.as_view(),
        name="agent-token-revoke",
    ),
    path("v1/simulate", policy.Simulate.as_view(), name="simulate"),
    path(
        "v1/recordings/<uuid:session_id>/export",
        recordings.RecordingExport.as_view(),
        name="recording-export",
    ),
    path("v1/checkpoints", recordings.Checkpoints.as_view(), name="checkpoints"),
    path("v1/checkpoints/<int:number>", recordings.CheckpointDetail.as_view(), name="checkpoint"),
    path("schema/", reference.schema, name="schema"),
    path("docs/", reference.docs, name="docs"),
    path("problems/<slug:code>", reference.problem_page, name="problem"),
    re_path(r"^.*$", reference.Nowhere.as_view(), name="nowhere"),
]
