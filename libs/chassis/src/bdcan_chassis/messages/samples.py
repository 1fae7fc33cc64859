"""The gauges of a service that tells people things."""

from __future__ import annotations

from bdcan_chassis import metrics
from bdcan_chassis.housekeeping import Sample
from bdcan_chassis.table import Statement

# Messages that could be sent now and have not been, by kind.
_WAITING = Statement(
    """
    SELECT kind, count(*) AS value FROM chassis.message
    WHERE state IN ('queued', 'sending') AND due_at <= :now::timestamptz AND expires_at > :now::timestamptz GROUP BY kind
    """
)

# Messages whose last attempt failed, by the problem.
_PROBLEMS = Statement(
    """
    SELECT problem, count(*) AS value FROM chassis.message
    WHERE state IN ('queued', 'sending') AND problem IS NOT NULL GROUP BY problem
    """
)

# For how long the first of them has been waiting.
_OLDEST = Statement(
    """
    SELECT extract(epoch FROM :now::timestamptz - min(due_at))::float8 AS value FROM chassis.message
    WHERE state IN ('queued', 'sending') AND due_at <= :now::timestamptz
    """
)

SAMPLES = (
    Sample(metrics.MESSAGES_WAITING, _WAITING),
    Sample(metrics.MESSAGE_PROBLEMS, _PROBLEMS),
    Sample(metrics.MESSAGES_OLDEST, _OLDEST),
)
