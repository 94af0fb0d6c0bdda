"""The verbs of connections and their policy. Nothing else saves these rows.

``by`` is the person who acts; None is the installation itself (seeding, a command in its shell).
"""

from connections.services.access import grant_access, revoke_access
from connections.services.catalogues import (
    request_catalogue_sync,
    sweep_catalogues,
    sync_catalogue,
)
from connections.services.checks import test_connection
from connections.services.credentials import key_statement, set_credential
from connections.services.detectors import (
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
from connections.services.revisions import Difference, differences
from connections.services.rules import (
    create_rule,
    delete_rule,
    move_rule,
    set_rule_enabled,
    update_rule,
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
    ruleset_for,
    target_for,
)

__all__ = [
    "Difference",
    "Suggestion",
    "advance_key_rotation",
    "catalogue_for",
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
    "enable_connection",
    "export_policy",
    "grant_access",
    "import_policy",
    "install_default_policy",
    "key_statement",
    "move_rule",
    "protect_copies",
    "record_test",
    "register_connection",
    "request_catalogue_sync",
    "restore_policy",
    "revoke_access",
    "ruleset_for",
    "set_credential",
    "set_detector_action",
    "set_protection_enabled",
    "set_rule_enabled",
    "start_key_rotation",
    "suggest",
    "sweep_catalogues",
    "sync_catalogue",
    "target_for",
    "test_connection",
    "undo_key_rotation",
    "update_connection",
    "update_detector",
    "update_protection",
    "update_rule",
]
