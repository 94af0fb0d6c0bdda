"""The tables of legal moves, in Python and in Postgres, are the same."""

import itertools
import re

import pytest
from django.db import IntegrityError, connection, transaction

import approvals.states
import gateway.states
from approvals.models import RequestTransition
from gateway.models import Transition

TABLES = [
    (Transition, "statement_transition_legal", gateway.states.TRANSITIONS),
    (RequestTransition, "request_transition_legal", approvals.states.TRANSITIONS),
]
STATES = [
    (gateway.states.StatementState, gateway.states.TRANSITIONS, {"received"}),
    (approvals.states.RequestState, approvals.states.TRANSITIONS, {"pending"}),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("model", "constraint", "moves"), TABLES)
def test_the_constraint_lists_the_same_pairs(model, constraint, moves):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [constraint]
        )
        [definition] = cursor.fetchone()
    found = re.findall(
        r"source\)::text = '(\w+)'::text\) AND \(\(target\)::text = '(\w+)'", definition
    )
    assert set(found) == {(str(source), str(target)) for source, target in moves}


@pytest.mark.django_db
@pytest.mark.parametrize(("model", "constraint", "moves"), TABLES)
def test_postgres_refuses_every_other_pair(model, constraint, moves):
    column = model._meta.get_fields()[1].column
    states = sorted({state for move in moves for state in move})
    insert = f"INSERT INTO {model._meta.db_table} ({column}, source, target, at) VALUES "
    for source, target in itertools.product(states, repeat=2):
        if (source, target) in moves:
            continue
        with (
            pytest.raises(IntegrityError, match=constraint),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(
                insert + "(gen_random_uuid(), %s, %s, now())", [str(source), str(target)]
            )


@pytest.mark.parametrize(("states", "moves", "first"), STATES)
def test_every_state_can_be_reached(states, moves, first):
    reached = {target for _, target in moves} | first
    assert reached == set(states)
