-- Loops of the service's workers that stand still on purpose, until a time. The audit keeps who asked for it when this row is gone.
CREATE TABLE chassis.pause (
    loop text PRIMARY KEY,
    ends_at timestamptz NOT NULL,
    paused_at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL,
    reason text NOT NULL
);
