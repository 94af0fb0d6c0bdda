from django.db import migrations

import hoopweb.lib.fields


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="approvalrequest",
            name="binds",
            field=hoopweb.lib.fields.EncryptedTextField(blank=True),
        ),
    ]
