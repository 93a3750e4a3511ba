"""Pictures: taken in, kept in a volume, made into thumbnails by worker processes, and given out.

The server reads headers with `headers` alone; Pillow is imported in worker processes only.
"""
