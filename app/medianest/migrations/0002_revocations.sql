-- Tokens that are refused before they expire: one by one (logout), or all that a user got before a
-- moment (the user was disabled). Written here first; every replica keeps a copy in memory.
CREATE TABLE revocations (
    token_id   text PRIMARY KEY,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX revocations_expires_at ON revocations (expires_at);
CREATE INDEX revocations_revoked_at ON revocations (revoked_at);

-- `disabled_at` is when a user was disabled, null for one who may log in. While it is set every token of
-- the user is refused; afterwards those issued before `tokens_from`, which only ever grows.
ALTER TABLE users ADD COLUMN disabled_at timestamptz, ADD COLUMN tokens_from timestamptz;
CREATE INDEX users_tokens_from ON users (tokens_from) WHERE tokens_from IS NOT NULL;

-- By triggers, so that it holds for whoever writes, a person with psql included.
CREATE FUNCTION move_tokens_from() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A replica refuses tokens up to 5 s after `tokens_from`, by as much as clocks may differ. Who is
    -- enabled need not wait so long before a new token works (6: tokens know whole seconds).
    NEW.tokens_from := greatest(
        OLD.tokens_from + interval '1 microsecond',
        clock_timestamp() - CASE WHEN NEW.disabled_at IS NULL THEN interval '6 s' ELSE interval '0' END
    );
    RETURN NEW;
END $$;
CREATE TRIGGER move_tokens_from BEFORE UPDATE ON users
    FOR EACH ROW WHEN (NEW.disabled_at IS DISTINCT FROM OLD.disabled_at)
    EXECUTE FUNCTION move_tokens_from();

-- The channel and the shape of what is notified are those of medianest/revocations.py.
CREATE FUNCTION notify_of_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('revocation', json_build_object(
        'token_id', NEW.token_id, 'expires_at', extract(epoch FROM NEW.expires_at))::text);
    RETURN NULL;
END $$;
CREATE TRIGGER notify_of_revocation AFTER INSERT ON revocations
    FOR EACH ROW EXECUTE FUNCTION notify_of_revocation();

CREATE FUNCTION notify_of_refused_tokens() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('revocation', json_build_object(
        'user_id', NEW.id,
        'tokens_from', extract(epoch FROM NEW.tokens_from),
        'disabled', NEW.disabled_at IS NOT NULL)::text);
    RETURN NULL;
END $$;
CREATE TRIGGER notify_of_refused_tokens AFTER UPDATE ON users
    FOR EACH ROW WHEN (NEW.tokens_from IS DISTINCT FROM OLD.tokens_from)
    EXECUTE FUNCTION notify_of_refused_tokens();
