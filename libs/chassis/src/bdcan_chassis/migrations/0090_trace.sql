-- Where the trace of a row's last step has got to: what a deadline, a planner or a person does next goes on there. Ids only.
CREATE TABLE chassis.trace (
    subject uuid PRIMARY KEY,
    traceparent text NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX trace_moved_at ON chassis.trace USING brin (moved_at) WITH (autosummarize = on);
