-- What stands between a version and a label: policies of labels, releases, and what splits a label's calls.

-- A label without a row has the policy it starts with.
CREATE TABLE label_policy (
    project {text} NOT NULL REFERENCES project (name),
    label {text} NOT NULL,
    protected {bool} NOT NULL,
    approvals {int} NOT NULL,
    -- The label a version has to have served before, and for how long; null when none.
    after_label {text},
    after_hours {int},
    contract_check {bool} NOT NULL,
    contract_days {int} NOT NULL,
    -- JSON: a list of {from, to, reason}.
    freezes {text} NOT NULL,
    updated_by {text} NOT NULL,
    updated_us {int} NOT NULL,
    revision {int} NOT NULL,
    PRIMARY KEY (project, label)
) {strict};

-- A proposal to move a label, and what came of it.
CREATE TABLE release (
    id {text} PRIMARY KEY,
    project {text} NOT NULL REFERENCES project (name),
    prompt_id {text} NOT NULL REFERENCES prompt (id),
    label {text} NOT NULL,
    version {int} NOT NULL,
    -- Where the label stood when it was proposed; null when it was not there.
    from_version {int},
    state {text} NOT NULL,
    note {text},
    -- JSON: {steps, every_seconds}; null when the label moves at once.
    ramp {text},
    -- How much of the label's calls it serves, in percent.
    percent {int} NOT NULL,
    -- When the next step is due; null when none is, or somebody has to take it.
    due_us {int},
    proposed_by {text} NOT NULL,
    proposed_us {int} NOT NULL,
    -- JSON: a list of {action, by, at, note, percent}.
    history {text} NOT NULL,
    revision {int} NOT NULL,
    FOREIGN KEY (prompt_id, version) REFERENCES version (prompt_id, number)
) {strict};
CREATE INDEX release_by_project ON release (project, id);
CREATE INDEX release_by_label ON release (prompt_id, label, id);
CREATE INDEX release_due ON release (due_us, id) WHERE state = 'ramping';

-- One experiment to a label. A removed one keeps its row, so that its next start gets a number of its own.
CREATE TABLE experiment (
    prompt_id {text} NOT NULL REFERENCES prompt (id),
    label {text} NOT NULL,
    -- As it was when it was last started: records have it, and so has the salt.
    name {text} NOT NULL,
    unit {text} NOT NULL,
    -- JSON: a list of {name, version, weight}.
    arms {text} NOT NULL,
    -- JSON: {users, metadata}.
    exclude {text} NOT NULL,
    -- 'running', 'stopped' or 'removed'.
    state {text} NOT NULL,
    -- How often it was started.
    starts {int} NOT NULL,
    started_us {int},
    stopped_us {int},
    created_by {text} NOT NULL,
    created_us {int} NOT NULL,
    updated_by {text} NOT NULL,
    updated_us {int} NOT NULL,
    revision {int} NOT NULL,
    PRIMARY KEY (prompt_id, label)
) {strict};

-- What the resolver reads: the ramp or the running experiment of a label.
CREATE TABLE label_split (
    prompt_id {text} NOT NULL REFERENCES prompt (id),
    label {text} NOT NULL,
    -- JSON.
    split {text} NOT NULL,
    PRIMARY KEY (prompt_id, label)
) {strict};

-- The versions it serves, which are kept in memory as labelled ones are.
CREATE TABLE label_split_version (
    prompt_id {text} NOT NULL,
    label {text} NOT NULL,
    version {int} NOT NULL,
    PRIMARY KEY (prompt_id, label, version),
    FOREIGN KEY (prompt_id, version) REFERENCES version (prompt_id, number)
) {strict};
