-- Alerts and who is told: rules with their state and history, webhooks with their deliveries, and the lease by which
-- one node at a time does what must be done once.

CREATE TABLE lease (
    name {text} PRIMARY KEY,
    holder {text} NOT NULL,
    expires_us {int} NOT NULL
) {strict};

CREATE TABLE webhook (
    id {text} PRIMARY KEY,
    project {text} NOT NULL REFERENCES project (name),
    name {text} NOT NULL,
    -- A secret in itself where it is Slack's.
    url {text} NOT NULL,
    -- What deliveries are signed with.
    secret {text} NOT NULL,
    -- 'weir' or 'slack'.
    format {text} NOT NULL,
    -- JSON: a list of events and families of events.
    events {text} NOT NULL,
    enabled {bool} NOT NULL,
    created_by {text} NOT NULL,
    created_us {int} NOT NULL,
    updated_us {int} NOT NULL,
    revision {int} NOT NULL
) {strict};
CREATE UNIQUE INDEX webhook_by_name ON webhook (project, name);

-- One event on its way to one receiver, and how it went.
CREATE TABLE delivery (
    id {text} PRIMARY KEY,
    project {text} NOT NULL REFERENCES project (name),
    -- Null where it goes to an e-mail address.
    webhook_id {text} REFERENCES webhook (id),
    -- The e-mail address, else null.
    recipient {text},
    event_id {text} NOT NULL,
    event {text} NOT NULL,
    -- JSON, to the byte as it is signed and sent.
    body {text} NOT NULL,
    -- 'waiting', 'delivered' or 'given_up'.
    state {text} NOT NULL,
    -- Tries begun. Whoever finishes a try names its number: a try whose time ran out changes nothing.
    attempts {int} NOT NULL,
    -- While waiting: when the next try may begin. A try under way has moved it to the end of its own time.
    due_us {int} NOT NULL,
    -- The receiver's last answer.
    status {int},
    error {text},
    created_us {int} NOT NULL,
    tried_us {int},
    finished_us {int}
) {strict};
CREATE INDEX delivery_due ON delivery (due_us, id) WHERE state = 'waiting';
CREATE INDEX delivery_by_webhook ON delivery (webhook_id, id);
CREATE INDEX delivery_finished ON delivery (finished_us) WHERE state <> 'waiting';

CREATE TABLE alert (
    id {text} PRIMARY KEY,
    project {text} NOT NULL REFERENCES project (name),
    name {text} NOT NULL,
    enabled {bool} NOT NULL,
    -- JSON: what is watched, how long it must hold, who is told.
    rule {text} NOT NULL,
    muted_until_us {int},
    created_by {text} NOT NULL,
    created_us {int} NOT NULL,
    updated_us {int} NOT NULL,
    revision {int} NOT NULL,
    -- Counts evaluations: whoever stores one names the one it builds on, so that none is stored twice.
    evaluation {int} NOT NULL,
    evaluated_us {int},
    -- What was wrong with the last evaluation, if anything.
    trouble {text}
) {strict};
CREATE UNIQUE INDEX alert_by_name ON alert (project, name);

CREATE TABLE alert_state (
    alert_id {text} NOT NULL REFERENCES alert (id),
    -- JSON: the group's values, a list of texts and nulls; an empty list without groups.
    group_values {text} NOT NULL,
    state {text} NOT NULL,
    since_us {int} NOT NULL,
    -- Numbers as text: neither engine's decimals are the other's.
    measured {text},
    reference {text},
    -- Since when the condition no longer holds, while it still counts as firing.
    fine_since_us {int},
    -- Whether somebody was told that it fires and not yet that it ended.
    announced {bool} NOT NULL,
    told_us {int},
    PRIMARY KEY (alert_id, group_values)
) {strict};

CREATE TABLE alert_history (
    id {text} PRIMARY KEY,
    alert_id {text} NOT NULL REFERENCES alert (id),
    group_values {text} NOT NULL,
    from_state {text},
    to_state {text} NOT NULL,
    measured {text},
    reference {text},
    at_us {int} NOT NULL
) {strict};
CREATE INDEX alert_history_by_alert ON alert_history (alert_id, id);
