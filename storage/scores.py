"""Satisfaction scores of contacts: set, replaced, taken back. The newest stands; where the customer's own word is replaced or
taken away, the audit log says by whom.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from cti_bridge.domain.audit_log import AuditAction
from cti_bridge.domain.interaction import Interaction, InteractionId
from cti_bridge.domain.satisfaction import Satisfaction, ScoreRefused, ScoreSource
from cti_bridge.domain.webhook import interaction_scored
from storage.audit_log import append
from storage.database import Database
from storage.interactions import INTERACTION_COLUMNS, interaction_of_row
from storage.schema import interactions
from storage.score_columns import satisfaction_of, score_columns
from storage.webhooks import Outbox


class Scores:
    """Every method may raise StorageError."""

    def __init__(self, database: Database, outbox: Outbox | None = None) -> None:
        self._database = database
        self._outbox = outbox or Outbox(database=database)

    async def set(
        self, interaction_id: InteractionId, given: Satisfaction | None, *, by: str, by_agent: bool, now: datetime
    ) -> Interaction | None:
        """Puts the score on the contact, or takes it away; committed when it returns. None: no such contact.

        Raises ScoreRefused `customers-own-word`: what the customer said is not replaced by an agent's impression, nor taken
        away by an agent.
        """

        def work(connection: Connection) -> Interaction | None:
            present = connection.execute(_locked(interaction_id)).one_or_none()
            if present is None:
                return None
            before = satisfaction_of(present)
            if before and before.is_customers_word and (by_agent or (given and given.source is ScoreSource.AGENT)):
                raise ScoreRefused(
                    "customers-own-word", "An agent's impression does not replace the score that the customer gave."
                )
            scored = interaction_of_row(_written(connection, interaction_id, given))
            self._outbox.put(connection, [interaction_scored(scored, at=now)])
            after = given.score if given else None
            if before and before.is_customers_word and before.score != after:
                detail = {"before": before.score, "after": after}
                append(connection, AuditAction.SCORE_REPLACED, actor=by, subject=interaction_id, detail=detail, now=now)
            return scored

        return await self._database.commit(work)


def _locked(interaction_id: InteractionId) -> Any:
    return select(*INTERACTION_COLUMNS).where(interactions.c.interaction_id == interaction_id).with_for_update()


def _written(connection: Connection, interaction_id: InteractionId, given: Satisfaction | None) -> Row[Any]:
    one = update(interactions).where(interactions.c.interaction_id == interaction_id)
    return connection.execute(one.values(score_columns(given)).returning(*INTERACTION_COLUMNS)).one()
