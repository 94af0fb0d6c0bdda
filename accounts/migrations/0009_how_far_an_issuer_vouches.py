from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_what_directories_say"),
    ]

    operations = [
        migrations.AddField(
            model_name="issuer",
            name="session_hours",
            field=models.PositiveSmallIntegerField(db_default=4, default=4),
        ),
        migrations.AddField(
            model_name="issuer",
            name="within_person",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
