-- How long blocks are told apart by their tokens: as many of the newest as all nodes together ship in two minutes,
-- however long a shard is away. What was put away in part is completed by sending it again under its token.

ALTER TABLE {db}.calls{local} {on_cluster} {remember};

ALTER TABLE {db}.attempts{local} {on_cluster} {remember};

ALTER TABLE {db}.bodies{local} {on_cluster} {remember};

ALTER TABLE {db}.spans{local} {on_cluster} {remember};

ALTER TABLE {db}.scores{local} {on_cluster} {remember};

ALTER TABLE {db}.calls_by_model{local} {on_cluster} {remember};

ALTER TABLE {db}.calls_by_prompt{local} {on_cluster} {remember};
