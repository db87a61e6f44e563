-- Saved searches and reports, and the secrets this registry's nodes sign with.

CREATE TABLE saved_view (
    id {text} PRIMARY KEY,
    project {text} NOT NULL REFERENCES project (name),
    name {text} NOT NULL,
    -- 'calls', 'report' or 'traces'.
    kind {text} NOT NULL,
    -- JSON: {q, columns, from, to, report}.
    content {text} NOT NULL,
    created_by {text} NOT NULL,
    created_us {int} NOT NULL,
    updated_by {text} NOT NULL,
    updated_us {int} NOT NULL,
    revision {int} NOT NULL
) {strict};
CREATE UNIQUE INDEX saved_view_by_name ON saved_view (project, name);

-- Made once, by whichever node needs it first, and the same on all of them.
CREATE TABLE signing_secret (
    purpose {text} PRIMARY KEY,
    secret {bytes} NOT NULL,
    created_us {int} NOT NULL
) {strict};
