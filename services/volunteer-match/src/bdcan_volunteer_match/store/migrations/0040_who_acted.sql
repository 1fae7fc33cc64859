-- Who said what about a task, for whom: a volunteer by themselves, or somebody of the hub. Rows are only ever added.
CREATE TABLE task_act (
    task_id uuid NOT NULL,
    act text NOT NULL,
    volunteer_id uuid,
    caller text NOT NULL,
    acted_at timestamptz NOT NULL
);
CREATE INDEX task_act_by_task ON task_act (task_id);
