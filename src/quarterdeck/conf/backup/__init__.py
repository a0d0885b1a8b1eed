"""A whole instance in one file, taken while it runs, and back into an empty data directory.

archive.py   the file: a tar with a manifest of checksums; what it refuses
records.py   the records database: SQLite's online backup, PostgreSQL's COPY in one snapshot
instance.py  what belongs to an instance, and in which order it goes out and in
"""
