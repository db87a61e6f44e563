-- Projects that people make, and tokens that are held to folders and labels.

ALTER TABLE project ADD COLUMN description {text} NOT NULL DEFAULT '';
ALTER TABLE project ADD COLUMN created_by {text} NOT NULL DEFAULT 'bootstrap';
ALTER TABLE project ADD COLUMN updated_us {int} NOT NULL DEFAULT 0;
ALTER TABLE project ADD COLUMN archived_us {int};
ALTER TABLE project ADD COLUMN revision {int} NOT NULL DEFAULT 0;

-- JSON lists; null means all.
ALTER TABLE admin_token ADD COLUMN folders {text};
ALTER TABLE admin_token ADD COLUMN labels {text};
