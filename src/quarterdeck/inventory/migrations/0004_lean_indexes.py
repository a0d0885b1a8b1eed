"""Drop the indexes that repeat the beginning of another one, and the side index's constraint: each costs at every import.

The indexes of foreign keys are dropped by name, because Django would copy whole tables on SQLite for it.
"""

import django.db.models.deletion
from django.db import migrations, models

_INDEXES = (
    "inventory_change_item_id_e40ee7bb",
    "inventory_drift_item_id_872edc01",
    "inventory_identity_item_id_744771ee",
    "inventory_item_type_id_169bec09",
    "inventory_itemsecret_item_id_4ffe6098",
    "inventory_itemunique_type_id_ebe093ae",
    "inventory_observation_type_id_b36f5a00",
    "inventory_relation_dst_id_c35e2e78",
    "inventory_relation_src_id_44e88c4a",
    "inventory_timelineevent_item_id_476c679d",
)


def _key(model, name, to, on_delete=django.db.models.deletion.CASCADE, **options):
    field = models.ForeignKey(on_delete=on_delete, related_name="+", to=f"inventory.{to}", **options)
    return migrations.AlterField(model, name, field)


class Migration(migrations.Migration):
    dependencies = [("inventory", "0003_before_image")]
    operations = [
        migrations.RemoveIndex("observation", "observation_item"),
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL([f"DROP INDEX {name}" for name in _INDEXES])],
            [
                _key("change", "item", "item", db_index=False),
                _key("drift", "item", "item", db_index=False),
                _key("identity", "item", "item", db_index=False),
                _key("item", "type", "itemtype", django.db.models.deletion.PROTECT, db_index=False),
                _key("itemsecret", "item", "item", db_index=False),
                _key("itemunique", "type", "itemtype", db_index=False),
                _key("observation", "type", "itemtype", django.db.models.deletion.PROTECT, db_index=False),
                _key("relation", "dst", "item", db_index=False),
                _key("relation", "src", "item", db_index=False),
                _key("timelineevent", "item", "item", null=True, db_index=False),
            ],
        ),
        _key("itemindex", "item", "item", db_constraint=False),
    ]
