from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("logs", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="LogMetric",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=120, unique=True)),
                ("unit", models.CharField(blank=True, max_length=40)),
                ("query", models.TextField(blank=True)),
                ("parse", models.CharField(blank=True, max_length=1000)),
                ("kind", models.CharField(default="count", max_length=20)),
                ("field", models.CharField(blank=True, max_length=140)),
                ("labels", models.JSONField(blank=True, default=list)),
                ("series_max", models.PositiveIntegerField(default=100)),
                ("is_enabled", models.BooleanField(default=True)),
                ("created_by", models.CharField(max_length=150)),
                ("evaluated_until", models.DateTimeField(null=True)),
                ("problem", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "ordering": ("name",),
            },
        ),
    ]
