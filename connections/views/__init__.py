"""Pages of connections and policy. Each fetches only through ``visible_to``."""

from connections.views.access import add_access, remove_access
from connections.views.catalogues import catalogue, sync
from connections.views.detecting import (
    delete_detector,
    detectors,
    edit_detector,
    new_detector,
    set_action,
)
from connections.views.history import restore, revision, revisions
from connections.views.masks import (
    accept,
    delete_protection,
    edit_protection,
    new_protection,
    protections,
    switch_protection,
)
from connections.views.policies import export, install_default, policy, rules
from connections.views.registration import discard, setup, setup_step
from connections.views.rotation import (
    advance_rotation,
    rotation,
    start_rotation,
    undo_rotation,
)
from connections.views.rulebook import delete_rule, edit_rule, move_rule, new_rule, switch_rule
from connections.views.running import sampling, stop_sampling, stop_test, test
from connections.views.simulating import simulate
from connections.views.targets import (
    credential,
    detail,
    edit,
    listing,
    new,
    set_state,
)

__all__ = [
    "accept",
    "add_access",
    "advance_rotation",
    "catalogue",
    "credential",
    "delete_detector",
    "delete_protection",
    "delete_rule",
    "detail",
    "detectors",
    "discard",
    "edit",
    "edit_detector",
    "edit_protection",
    "edit_rule",
    "export",
    "install_default",
    "listing",
    "move_rule",
    "new",
    "new_detector",
    "new_protection",
    "new_rule",
    "policy",
    "protections",
    "remove_access",
    "restore",
    "revision",
    "revisions",
    "rotation",
    "rules",
    "sampling",
    "set_action",
    "set_state",
    "setup",
    "setup_step",
    "simulate",
    "start_rotation",
    "stop_sampling",
    "stop_test",
    "switch_protection",
    "switch_rule",
    "sync",
    "test",
    "undo_rotation",
]
