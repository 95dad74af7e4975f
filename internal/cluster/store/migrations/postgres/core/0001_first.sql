-- +goose Up
-- Written so that both dialects can be read side by side; a test compares them.

CREATE TABLE store_identity (
	one        SMALLINT NOT NULL PRIMARY KEY CHECK (one = 1),
	id         TEXT NOT NULL,
	created_at BIGINT NOT NULL
);

CREATE TABLE setting (
	key         TEXT NOT NULL,
	version     BIGINT NOT NULL CHECK (version > 0),
	rev         BIGINT NOT NULL UNIQUE CHECK (rev > 0),
	id          TEXT NOT NULL UNIQUE,
	value       TEXT,
	actor       TEXT NOT NULL CHECK (actor <> ''),
	reason      TEXT NOT NULL CHECK (reason <> ''),
	origin_node TEXT NOT NULL,
	audit_id    TEXT,
	at          BIGINT NOT NULL,
	recorded_at BIGINT NOT NULL,
	PRIMARY KEY (key, version)
);

-- The one row whose lock gives rev its order of commit.
CREATE TABLE setting_head (
	one SMALLINT NOT NULL PRIMARY KEY CHECK (one = 1),
	rev BIGINT NOT NULL CHECK (rev >= 0)
);
INSERT INTO setting_head (one, rev) VALUES (1, 0);

CREATE TABLE setting_due (
	id           TEXT NOT NULL PRIMARY KEY,
	key          TEXT NOT NULL,
	kind         TEXT NOT NULL CHECK (kind IN ('revert', 'change')),
	base_version BIGINT NOT NULL,
	due_at       BIGINT NOT NULL,
	value        TEXT,
	actor        TEXT NOT NULL,
	reason       TEXT NOT NULL,
	created_at   BIGINT NOT NULL,
	state        TEXT NOT NULL CHECK (state IN ('pending', 'done', 'skipped', 'cancelled')),
	settled_at   BIGINT,
	note         TEXT NOT NULL,
	CHECK ((state = 'pending') = (settled_at IS NULL))
);
CREATE INDEX setting_due_pending ON setting_due (due_at) WHERE state = 'pending';
CREATE INDEX setting_due_settled ON setting_due (settled_at) WHERE state <> 'pending';

CREATE TABLE lease (
	name       TEXT NOT NULL PRIMARY KEY,
	holder     TEXT NOT NULL,
	term       BIGINT NOT NULL CHECK (term > 0),
	module     BIGINT NOT NULL,
	elected_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);

CREATE TABLE cert_file (
	key         TEXT NOT NULL PRIMARY KEY,
	value       TEXT NOT NULL,
	modified_at BIGINT NOT NULL
);
