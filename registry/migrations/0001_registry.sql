-- What people define: projects, prompts with versions and labels, virtual keys, admin tokens.
-- Tokens in braces become each engine's words. Times are microseconds since 1970, JSON is text.

-- One row, changed first by every write. Rows carry the number of the write that last touched them.
CREATE TABLE revision (
    id {int} PRIMARY KEY CHECK (id = 1),
    number {int} NOT NULL
) {strict};
INSERT INTO revision (id, number) VALUES (1, 0);

CREATE TABLE project (
    name {text} PRIMARY KEY,
    created_us {int} NOT NULL
) {strict};
INSERT INTO project (name, created_us) VALUES ('default', 0);

CREATE TABLE prompt (
    id {text} PRIMARY KEY,
    project {text} NOT NULL REFERENCES project (name),
    name {text} NOT NULL,
    -- 'chat' or 'text' from the first version on, for life.
    kind {text},
    description {text} NOT NULL,
    -- JSON: a list of texts.
    tags {text} NOT NULL,
    -- JSON: a list of {id, versions, default}.
    aliases {text} NOT NULL,
    -- Name, description, tags and aliases in lower case, for searching.
    search {text} NOT NULL,
    -- The highest version, 0 before the first.
    latest {int} NOT NULL,
    created_us {int} NOT NULL,
    updated_us {int} NOT NULL,
    archived_us {int},
    revision {int} NOT NULL
) {strict};
CREATE UNIQUE INDEX prompt_by_name ON prompt (project, name);
CREATE INDEX prompt_by_revision ON prompt (revision, id);

-- Every name and alias a prompt answers to: one namespace in a project.
CREATE TABLE prompt_name (
    project {text} NOT NULL REFERENCES project (name),
    name {text} NOT NULL,
    prompt_id {text} NOT NULL REFERENCES prompt (id),
    PRIMARY KEY (project, name)
) {strict};
CREATE INDEX prompt_name_by_prompt ON prompt_name (prompt_id);

CREATE TABLE prompt_tag (
    prompt_id {text} NOT NULL REFERENCES prompt (id),
    tag {text} NOT NULL,
    PRIMARY KEY (prompt_id, tag)
) {strict};

-- Immutable: rows are inserted, never changed or deleted.
CREATE TABLE version (
    prompt_id {text} NOT NULL REFERENCES prompt (id),
    number {int} NOT NULL,
    digest {text} NOT NULL,
    major {int} NOT NULL,
    minor {int} NOT NULL,
    patch {int} NOT NULL,
    impact {text},
    -- JSON: a list of {impact, reason}.
    impact_reasons {text} NOT NULL,
    parent {int},
    author {text} NOT NULL,
    commit_message {text},
    content {text} NOT NULL,
    metadata {text} NOT NULL,
    examples {text} NOT NULL,
    created_us {int} NOT NULL,
    PRIMARY KEY (prompt_id, number)
) {strict};
CREATE UNIQUE INDEX version_by_semver ON version (prompt_id, major, minor, patch);
CREATE INDEX version_by_digest ON version (prompt_id, digest);

CREATE TABLE label (
    prompt_id {text} NOT NULL,
    label {text} NOT NULL,
    version {int} NOT NULL,
    moved_by {text} NOT NULL,
    moved_us {int} NOT NULL,
    PRIMARY KEY (prompt_id, label),
    FOREIGN KEY (prompt_id, version) REFERENCES version (prompt_id, number)
) {strict};

-- The history of every label; a label that was removed keeps its history.
-- Placements form a path: a move adds one, a rollback goes back along it, a removal leaves it.
CREATE TABLE label_move (
    prompt_id {text} NOT NULL REFERENCES prompt (id),
    label {text} NOT NULL,
    -- The revision of the write that moved it.
    revision {int} NOT NULL,
    action {text} NOT NULL,
    from_version {int},
    to_version {int},
    -- The move that put the label where this one leaves it: itself, unless this one is a rollback or a removal.
    placement {int} NOT NULL,
    -- The placement of another version before this one, where a rollback goes.
    previous {int},
    reason {text},
    moved_by {text} NOT NULL,
    moved_us {int} NOT NULL,
    PRIMARY KEY (prompt_id, label, revision)
) {strict};

CREATE TABLE virtual_key (
    id {text} PRIMARY KEY,
    project {text} NOT NULL REFERENCES project (name),
    name {text} NOT NULL,
    secret_hash {bytes} NOT NULL,
    -- The end of the secret, to tell keys apart.
    hint {text} NOT NULL,
    -- 'issued', or 'environment' for the one that is handed in at start.
    origin {text} NOT NULL,
    -- JSON lists of patterns; null means all.
    models {text},
    prompts {text},
    labels {text},
    read_prompts {bool} NOT NULL,
    passthrough {bool} NOT NULL,
    registered_prompts_only {bool} NOT NULL,
    created_by {text} NOT NULL,
    created_us {int} NOT NULL,
    expires_us {int},
    revoked_us {int},
    revision {int} NOT NULL
) {strict};
CREATE UNIQUE INDEX virtual_key_by_secret ON virtual_key (secret_hash);
CREATE UNIQUE INDEX virtual_key_from_environment ON virtual_key (origin) WHERE origin = 'environment';
CREATE INDEX virtual_key_by_revision ON virtual_key (revision, id);

CREATE TABLE admin_token (
    id {text} PRIMARY KEY,
    name {text} NOT NULL,
    role {text} NOT NULL,
    -- Null means every project.
    project {text} REFERENCES project (name),
    owner {text} NOT NULL,
    secret_hash {bytes} NOT NULL,
    hint {text} NOT NULL,
    origin {text} NOT NULL,
    created_by {text} NOT NULL,
    created_us {int} NOT NULL,
    expires_us {int},
    revoked_us {int},
    revision {int} NOT NULL
) {strict};
CREATE UNIQUE INDEX admin_token_by_secret ON admin_token (secret_hash);
CREATE UNIQUE INDEX admin_token_from_environment ON admin_token (origin) WHERE origin = 'environment';
CREATE INDEX admin_token_by_revision ON admin_token (revision, id);
