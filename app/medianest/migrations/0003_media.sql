-- One row for each content, which is also the job that makes its thumbnails. A row that no media refers
-- to is waste: its files may be gone in part, and whoever removes it removes them first.
CREATE TABLE pictures (
    sha256        text PRIMARY KEY CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    format        text NOT NULL,
    width         integer NOT NULL,
    height        integer NOT NULL,
    bytes         bigint NOT NULL,
    state         text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed')),
    queued_at     timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    attempts      integer NOT NULL DEFAULT 0,
    claimed_by    text,
    lease_until   timestamptz,
    error_name    text,
    error_message text,
    metadata      jsonb,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'running') = (claimed_by IS NOT NULL AND lease_until IS NOT NULL)),
    CHECK ((state = 'failed') = (error_name IS NOT NULL AND error_message IS NOT NULL))
);

CREATE INDEX pictures_queued ON pictures (queued_at) WHERE state = 'queued';
CREATE INDEX pictures_running ON pictures (lease_until) WHERE state = 'running';

-- What a user has uploaded.
CREATE TABLE media (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    owner      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    sha256     text NOT NULL REFERENCES pictures (sha256),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (owner, sha256)
);

CREATE INDEX media_newest_first ON media (owner, created_at DESC, id DESC);
CREATE INDEX media_of_picture ON media (sha256);
