"""The verbs of connections and their policy. Nothing else saves these rows.

``by`` is the person who acts; None is the installation itself (seeding, a command in its shell).
"""

from connections.models import ConnectionTest, Sampling
from connections.services import runs
from connections.services.access import grant_access, revoke_access
from connections.services.catalogues import (
    request_catalogue_sync,
    sweep_catalogues,
    sync_catalogue,
)
from connections.services.checks import (
    cancel_connection_test,
    request_connection_test,
    run_connection_test,
    send_test,
)
from connections.services.credentials import key_statement, set_credential
from connections.services.detectors import (
    Chosen,
    chosen_detectors,
    create_detector,
    delete_detector,
    set_detector_action,
    update_detector,
)
from connections.services.key_rotation import (
    advance_key_rotation,
    start_key_rotation,
    undo_key_rotation,
)
from connections.services.policies import (
    export_policy,
    import_policy,
    install_default_policy,
    restore_policy,
)
from connections.services.protections import (
    create_protection,
    create_protections,
    delete_protection,
    protect_copies,
    set_protection_enabled,
    update_protection,
)
from connections.services.registration import (
    Missing,
    confirm_connection,
    discard_registration,
    is_healthy,
    mark_step_seen,
    missing_of,
)
from connections.services.revisions import Difference, differences
from connections.services.rules import (
    create_rule,
    delete_rule,
    move_rule,
    set_rule_enabled,
    update_rule,
)
from connections.services.runs import newest
from connections.services.sampling import (
    cancel_sampling,
    request_sampling,
    run_sampling,
    sampled_of,
    send_sampling,
)
from connections.services.suggestions import Suggestion, suggest
from connections.services.targets import (
    disable_connection,
    enable_connection,
    record_test,
    register_connection,
    update_connection,
)
from connections.services.values import (
    catalogue_for,
    context_for,
    detectors_for,
    is_at_hand,
    ruleset_for,
    target_for,
)


def sweep_runs() -> int:
    """Tests and samplings whose worker or message was lost; says how many were sent again."""
    return runs.sweep(ConnectionTest, send_test) + runs.sweep(Sampling, send_sampling)


__all__ = [
    "Chosen",
    "Difference",
    "Missing",
    "Suggestion",
    "advance_key_rotation",
    "cancel_connection_test",
    "cancel_sampling",
    "catalogue_for",
    "chosen_detectors",
    "confirm_connection",
    "context_for",
    "create_detector",
    "create_protection",
    "create_protections",
    "create_rule",
    "delete_detector",
    "delete_protection",
    "delete_rule",
    "detectors_for",
    "differences",
    "disable_connection",
    "discard_registration",
    "enable_connection",
    "export_policy",
    "grant_access",
    "import_policy",
    "install_default_policy",
    "is_at_hand",
    "is_healthy",
    "key_statement",
    "mark_step_seen",
    "missing_of",
    "move_rule",
    "newest",
    "protect_copies",
    "record_test",
    "register_connection",
    "request_catalogue_sync",
    "request_connection_test",
    "request_sampling",
    "restore_policy",
    "revoke_access",
    "ruleset_for",
    "run_connection_test",
    "run_sampling",
    "sampled_of",
    "set_credential",
    "set_detector_action",
    "set_protection_enabled",
    "set_rule_enabled",
    "start_key_rotation",
    "suggest",
    "sweep_catalogues",
    "sweep_runs",
    "sync_catalogue",
    "target_for",
    "undo_key_rotation",
    "update_connection",
    "update_detector",
    "update_protection",
    "update_rule",
]
