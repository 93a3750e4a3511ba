"""Posts plans where they are reviewed: a comment in the pull request, a check, a job summary."""
