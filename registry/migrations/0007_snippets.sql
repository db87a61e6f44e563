-- Snippets: versions of other prompts that a version includes.

-- JSON: by reference, the versions it includes with all that they include, so that it renders the same for good.
ALTER TABLE version ADD COLUMN included {text} NOT NULL DEFAULT '{}';
-- JSON: by reference, the labels it includes whatever they point at.
ALTER TABLE version ADD COLUMN floating {text} NOT NULL DEFAULT '{}';

-- What each version includes itself, to answer who uses a snippet.
CREATE TABLE version_include (
    prompt_id {text} NOT NULL,
    version {int} NOT NULL,
    -- As the version's texts have it: `snippets/tone@3`, or `snippets/tone@staging`.
    reference {text} NOT NULL,
    snippet_id {text} NOT NULL,
    -- One of the two: the version it is pinned to, or the label it floats with.
    snippet_version {int},
    label {text},
    PRIMARY KEY (prompt_id, version, reference),
    FOREIGN KEY (prompt_id, version) REFERENCES version (prompt_id, number),
    FOREIGN KEY (snippet_id, snippet_version) REFERENCES version (prompt_id, number)
) {strict};
CREATE INDEX version_include_by_snippet ON version_include (snippet_id, snippet_version);
