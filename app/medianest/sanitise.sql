-- Takes out of a copy of the database whatever tells of a person, or lets somebody in. Run in one
-- transaction, before any backend sees the copy. Whoever adds a table adds it here.

-- What is not known here might be a secret: then there is no copy.
DO $$
DECLARE unknown text;
BEGIN
    SELECT string_agg(table_name || '.' || column_name, ', ' ORDER BY table_name, column_name) INTO unknown
    FROM information_schema.columns
    WHERE table_schema = 'public' AND (table_name, column_name) NOT IN (
        ('users', 'id'), ('users', 'username'), ('users', 'display_name'), ('users', 'password_hash'),
        ('users', 'created_at'), ('users', 'updated_at'), ('users', 'disabled_at'), ('users', 'tokens_from'))
    AND table_name NOT IN ('revocations', 'pictures', 'media', 'schema_migrations');
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'sanitise.sql does not know %', unknown;
    END IF;
END $$;

-- Files are not copied; their metadata tells where and with what they were taken.
TRUNCATE media, pictures;
-- Tokens that were refused are none of this stack's: its secret is another one.
TRUNCATE revocations;
-- No password matches what is no hash.
UPDATE users SET
    username = 'user-' || numbered.number,
    display_name = 'User ' || numbered.number,
    password_hash = '!',
    updated_at = created_at
FROM (SELECT id, row_number() OVER (ORDER BY created_at, id) AS number FROM users) AS numbered
WHERE users.id = numbered.id;
