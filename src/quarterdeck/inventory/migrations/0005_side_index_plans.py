"""Let PostgreSQL plan filters over millions of rows of the side index.

`role:web` is two conditions, on `field` and on `text`, of which each value belongs to few fields: taken as independent,
as the planner does without these statistics, the rows are twenty times as many as it expects.
See https://www.postgresql.org/docs/current/planner-stats.html#PLANNER-STATS-EXTENDED

The index finds the value of one item; the one it replaces had the item alone, and led to twenty rows of the table.
"""

import django.db.models.deletion
from django.db import migrations, models

# Of 500 * 300 rows looked at, a value that 1 of 1000 rows has is seen 150 times.
STATISTICS = [
    "CREATE STATISTICS itemindex_field_text (mcv) ON field, text FROM inventory_itemindex",
    "CREATE STATISTICS itemindex_field_number (mcv) ON field, number FROM inventory_itemindex",
    "ALTER STATISTICS itemindex_field_text SET STATISTICS 500",
    "ALTER STATISTICS itemindex_field_number SET STATISTICS 500",
]
DROP = ["DROP STATISTICS itemindex_field_text", "DROP STATISTICS itemindex_field_number"]


def _on_postgresql(statements):
    def run(apps, schema_editor):
        if schema_editor.connection.vendor == "postgresql":
            for statement in statements:
                schema_editor.execute(statement)

    return run


class Migration(migrations.Migration):
    dependencies = [("inventory", "0004_lean_indexes")]
    operations = [
        migrations.AddIndex("itemindex", models.Index(fields=["item", "field"], name="itemindex_item")),
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL("DROP INDEX inventory_itemindex_item_id_1376b541")],
            [
                migrations.AlterField(
                    "itemindex",
                    "item",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="inventory.item",
                    ),
                )
            ],
        ),
        migrations.RunPython(_on_postgresql(STATISTICS), _on_postgresql(DROP)),
    ]
