"""The audit log lets go of its oldest rows, once a row at its end says so; and calls whose callers were taken out."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

SAYS = "the audit log is append-only"
ERASED_AT = "when its caller was taken out; the call's document stays as that left it"
ERASED_AT_BEFORE = "when its customer was erased; the call's document stays as that left it"
REFUSE = "CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log {when} BEGIN SELECT RAISE(ABORT, '{says}'); END"
CUT = "SELECT 1 FROM audit_log WHERE action = 'audit_log.cut' AND {up_to} >= OLD.seq"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        cut = CUT.format(up_to="json_extract(detail, '$.up_to')")
        op.execute("DROP TRIGGER audit_log_no_delete")
        op.execute(REFUSE.format(when=f"WHEN NOT EXISTS ({cut})", says=SAYS))
        return
    cut = CUT.format(up_to="(detail ->> 'up_to')::int")
    op.execute("DROP TRIGGER audit_log_no_change ON audit_log")
    op.execute(
        "CREATE FUNCTION audit_log_refuse_young() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN IF EXISTS ({cut}) THEN RETURN OLD; END IF; RAISE EXCEPTION '{SAYS}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_log_no_change BEFORE UPDATE OR TRUNCATE ON audit_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse()"
    )
    op.execute(
        "CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_log_refuse_young()"
    )
    _comment(ERASED_AT, ERASED_AT_BEFORE)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_log_no_delete")
        op.execute(REFUSE.format(when="", says=SAYS))
        return
    op.execute("DROP TRIGGER audit_log_no_delete ON audit_log")
    op.execute("DROP FUNCTION audit_log_refuse_young()")
    op.execute("DROP TRIGGER audit_log_no_change ON audit_log")
    op.execute(
        "CREATE TRIGGER audit_log_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse()"
    )
    _comment(ERASED_AT_BEFORE, ERASED_AT)


def _comment(comment: str, before: str) -> None:
    op.alter_column(
        "interactions", "erased_at", existing_type=sa.DateTime(timezone=True), comment=comment, existing_comment=before
    )
