from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0006_logins_end"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="statement",
            index=models.Index(
                condition=models.Q(("statement_class__in", ["get", "put"])),
                fields=["finished_at"],
                name="statement_carried",
            ),
        ),
    ]
