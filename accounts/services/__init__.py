"""Verbs on people, teams, roles, agents and tokens. Only these write; each leaves an audit entry.

``by`` is the person who acts; None is the installation itself (seeding, a command in its shell).
"""

from accounts.services.agents import (
    create_agent,
    disable_agent,
    enable_agent,
    update_agent,
)
from accounts.services.consoles import Ended, end_by_provider, take_once
from accounts.services.links import (
    await_link,
    dismiss_newcomer,
    link_identity,
    unlink_identity,
)
from accounts.services.people import (
    change_password,
    create_user,
    disable_user,
    enable_user,
    set_teams,
)
from accounts.services.roles import create_team, grant_role, revoke_role
from accounts.services.saml import answer_saml, begin_saml, finish_saml
from accounts.services.sign_in import (
    Vouched,
    end_here,
    end_sign_in,
    keep_sign_in,
    record_refusal,
    sign_in,
    sign_in_by_provider,
    sign_out,
)
from accounts.services.tokens import (
    DEFAULT_DAYS,
    IssuedToken,
    issue_token,
    max_days,
    revoke_token,
    rotate_token,
)

__all__ = [
    "DEFAULT_DAYS",
    "Ended",
    "IssuedToken",
    "Vouched",
    "answer_saml",
    "await_link",
    "begin_saml",
    "change_password",
    "create_agent",
    "create_team",
    "create_user",
    "disable_agent",
    "disable_user",
    "dismiss_newcomer",
    "enable_agent",
    "enable_user",
    "end_by_provider",
    "end_here",
    "end_sign_in",
    "finish_saml",
    "grant_role",
    "issue_token",
    "keep_sign_in",
    "link_identity",
    "max_days",
    "record_refusal",
    "revoke_role",
    "revoke_token",
    "rotate_token",
    "set_teams",
    "sign_in",
    "sign_in_by_provider",
    "sign_out",
    "take_once",
    "unlink_identity",
    "update_agent",
]
