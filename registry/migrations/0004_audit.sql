-- Who changed what, when: one entry for each change, written in its transaction, never changed and never deleted.

CREATE TABLE audit (
    -- 1, 2, 3… without gaps, over all projects.
    number {int} PRIMARY KEY,
    at_us {int} NOT NULL,
    -- Null for what belongs to no project.
    project {text},
    who {text} NOT NULL,
    role {text} NOT NULL,
    -- The token that was shown; null for what the gateway did by itself.
    token_id {text},
    action {text} NOT NULL,
    target {text} NOT NULL,
    -- JSON: an object.
    detail {text} NOT NULL,
    -- The hash of the entry before, 64 zeros for the first.
    previous {text} NOT NULL,
    -- SHA-256 of the canonical JSON of all of the above, in hex.
    hash {text} NOT NULL
) {strict};
CREATE INDEX audit_by_project ON audit (project, number);

-- Where the chain ends, so that a removed end is noticed.
CREATE TABLE audit_head (
    id {int} PRIMARY KEY CHECK (id = 1),
    number {int} NOT NULL,
    hash {text} NOT NULL
) {strict};
INSERT INTO audit_head (id, number, hash)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');
