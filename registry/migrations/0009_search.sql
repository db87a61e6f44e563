-- Prompts are searched in memory.
ALTER TABLE prompt DROP COLUMN search;
