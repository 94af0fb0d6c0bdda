"""A body may be sealed again under another key; nothing else about a payload ever changes.

What it says is held by the digest in the event, which a new seal leaves as it is.
"""

from django.db import migrations

FORWARD = r"""
CREATE FUNCTION recordings_guard_payload() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE'
       AND (to_jsonb(NEW) - ARRAY['body', 'stored']) = (to_jsonb(OLD) - ARRAY['body', 'stored'])
       AND (NEW.body IS NULL) = (OLD.body IS NULL) AND (NEW.stored = '') = (OLD.stored = '')
       AND (NEW.body IS NULL OR (
            substring(NEW.body from 1 for 4) = 'hw1.'::bytea
            AND split_part(encode(substring(NEW.body from 1 for 80), 'escape'), '.', 2)
             <> split_part(encode(substring(OLD.body from 1 for 80), 'escape'), '.', 2)))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'integrity_constraint_violation',
              HINT = 'Recordings are never changed or deleted; a body is only sealed again.';
END
$$;
DROP TRIGGER recordings_payload_append_only ON recordings_payload;
CREATE TRIGGER recordings_payload_append_only BEFORE UPDATE OR DELETE ON recordings_payload
    FOR EACH ROW EXECUTE FUNCTION recordings_guard_payload();
"""

BACKWARD = """
DROP TRIGGER recordings_payload_append_only ON recordings_payload;
CREATE TRIGGER recordings_payload_append_only BEFORE UPDATE OR DELETE ON recordings_payload
    FOR EACH ROW EXECUTE FUNCTION recordings_refuse();
DROP FUNCTION recordings_guard_payload();
"""


class Migration(migrations.Migration):
    dependencies = [("recordings", "0003_append_only")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
