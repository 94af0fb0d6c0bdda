from django.db import migrations

import hoopweb.lib.fields


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0004_batches_can_be_stopped"),
    ]

    operations = [
        migrations.AddField(
            model_name="wirebatch",
            name="binds",
            field=hoopweb.lib.fields.EncryptedTextField(blank=True, default=""),
            preserve_default=False,
        ),
    ]
