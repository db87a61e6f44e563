-- Working copies of prompts, and which versions include which prompts.

-- One to a prompt and owner; changed as often as its owner likes, and gone once it is published.
CREATE TABLE draft (
    prompt_id {text} NOT NULL REFERENCES prompt (id),
    owner {text} NOT NULL,
    -- The version it was begun from; 0 for none.
    parent {int} NOT NULL,
    content {text} NOT NULL,
    commit_message {text},
    impact {text},
    metadata {text} NOT NULL,
    examples {text} NOT NULL,
    created_us {int} NOT NULL,
    updated_us {int} NOT NULL,
    -- Grows with every change of this draft.
    revision {int} NOT NULL,
    PRIMARY KEY (prompt_id, owner)
) {strict};
