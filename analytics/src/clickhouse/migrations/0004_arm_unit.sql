-- What a call was assigned to its experiment's arm by: `user`, `session`, `metadata.KEY`…, or `none` when it did not say.
-- On one server both statements name the same table, and the second changes nothing.

ALTER TABLE {db}.calls{local} {on_cluster} ADD COLUMN IF NOT EXISTS arm_unit LowCardinality(String) AFTER arm;

ALTER TABLE {db}.calls {on_cluster} ADD COLUMN IF NOT EXISTS arm_unit LowCardinality(String) AFTER arm;
