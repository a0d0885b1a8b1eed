"""What Django's models cannot say: the full-text index, and on PostgreSQL the collation of what prefixes are asked of.

The full-text index over `ItemText` is FTS5 kept by triggers on SQLite, a GIN index on PostgreSQL.

Both index the same words, which we split ourselves (each Chinese character is a word): the databases' own splitting
differs, and neither finds a part of a Chinese sentence. See https://www.sqlite.org/fts5.html#external_content_tables
"""

from django.db import migrations

SQLITE = [
    """CREATE VIRTUAL TABLE inventory_itemtext_fts USING fts5(
        words, content='inventory_itemtext', content_rowid='item_id', tokenize="unicode61 remove_diacritics 0",
        prefix='2 3'
    )""",
    """CREATE TRIGGER inventory_itemtext_insert AFTER INSERT ON inventory_itemtext BEGIN
        INSERT INTO inventory_itemtext_fts(rowid, words) VALUES (new.item_id, new.words);
    END""",
    """CREATE TRIGGER inventory_itemtext_delete AFTER DELETE ON inventory_itemtext BEGIN
        INSERT INTO inventory_itemtext_fts(inventory_itemtext_fts, rowid, words)
        VALUES ('delete', old.item_id, old.words);
    END""",
    """CREATE TRIGGER inventory_itemtext_update AFTER UPDATE ON inventory_itemtext BEGIN
        INSERT INTO inventory_itemtext_fts(inventory_itemtext_fts, rowid, words)
        VALUES ('delete', old.item_id, old.words);
        INSERT INTO inventory_itemtext_fts(rowid, words) VALUES (new.item_id, new.words);
    END""",
]
# A prefix is a range, `text >= 'web' AND text < 'web...'`: only true where text is ordered by its code points, as SQLite
# orders it. A language's collation would ignore "-" and "_".
_BY_CODE_POINT = {
    "inventory_itemindex": {"field": 140, "text": 200},
    "inventory_item": {
        "name": 255, "raw_state": 80, "env": 64, "provider": 64, "account": 128, "region": 64, "owner": 128
    },
}  # fmt: skip
POSTGRESQL = [
    *(
        f'ALTER TABLE {table} ALTER COLUMN "{column}" TYPE varchar({length}) COLLATE "C"'
        for table, columns in _BY_CODE_POINT.items()
        for column, length in columns.items()
    ),
    # Kept, not computed by the index alone: a phrase looks into the vector of every row that has its words.
    """ALTER TABLE inventory_itemtext ADD COLUMN vector tsvector
        GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, words)) STORED""",
    "CREATE INDEX inventory_itemtext_vector ON inventory_itemtext USING gin (vector)",
]


def build(apps, schema_editor):
    for statement in POSTGRESQL if schema_editor.connection.vendor == "postgresql" else SQLITE:
        schema_editor.execute(statement)


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE inventory_itemtext DROP COLUMN vector")
        return
    for name in ("insert", "delete", "update"):
        schema_editor.execute(f"DROP TRIGGER inventory_itemtext_{name}")
    schema_editor.execute("DROP TABLE inventory_itemtext_fts")


class Migration(migrations.Migration):
    dependencies = [("inventory", "0001_initial")]
    operations = [migrations.RunPython(build, drop)]
