from django.db import migrations, models

import hoopweb.lib.fields


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="statement",
            name="copies",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="statement",
            name="sql_upstream",
            field=hoopweb.lib.fields.EncryptedTextField(blank=True),
        ),
    ]
