"""The backend of MediaNest: authentication, a cached read and health, on Postgres and Redis."""
