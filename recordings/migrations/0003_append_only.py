"""The database itself refuses to change what was recorded.

TRUNCATE is left out: only the owner of the tables may do it, who could drop a trigger as well, and
tests empty tables by it between cases. ``manage.py verify`` finds what it takes away.
"""

from django.db import migrations

TABLES = (
    "recordings_event",
    "recordings_payload",
    "recordings_checkpoint",
    "recordings_auditentry",
)

FORWARD = """
CREATE FUNCTION recordings_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'integrity_constraint_violation',
              HINT = 'Recordings are never changed or deleted, by anyone.';
END
$$;

CREATE FUNCTION recordings_guard_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a session is never deleted'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF OLD.ended_at IS NOT NULL THEN
        -- Its place in the tree of seals, once, is all that a sealed session still receives.
        IF OLD.leaf IS NOT NULL OR NEW.leaf IS NULL
           OR (to_jsonb(NEW) - 'leaf') <> (to_jsonb(OLD) - 'leaf') THEN
            RAISE EXCEPTION 'session % is sealed and cannot change', OLD.id
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (to_jsonb(NEW) - ARRAY['title', 'last_event_at', 'ended_at', 'event_count', 'head', 'seal'])
       <> (to_jsonb(OLD) - ARRAY['title', 'last_event_at', 'ended_at', 'event_count', 'head', 'seal'])
       OR NEW.event_count < OLD.event_count
       OR (NEW.ended_at IS NULL) <> (NEW.seal = '') THEN
        RAISE EXCEPTION 'session % only moves forward', OLD.id
            USING ERRCODE = 'integrity_constraint_violation',
                  HINT = 'Who, where and through what are fixed; events are added and never taken.';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER recordings_session_guard BEFORE UPDATE OR DELETE ON recordings_session
    FOR EACH ROW EXECUTE FUNCTION recordings_guard_session();
""" + "\n".join(
    f"""CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION recordings_refuse();"""
    for table in TABLES
)

BACKWARD = (
    """
DROP TRIGGER recordings_session_guard ON recordings_session;
"""
    + "\n".join(f"DROP TRIGGER {table}_append_only ON {table};" for table in TABLES)
    + """
DROP FUNCTION recordings_guard_session();
DROP FUNCTION recordings_refuse();
"""
)


class Migration(migrations.Migration):
    dependencies = [("recordings", "0002_tree_of_seals")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
