from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0005_batches_keep_their_binds"),
    ]

    operations = [
        migrations.AddField(
            model_name="wiresession",
            name="login_until",
            field=models.DateTimeField(null=True),
        ),
    ]
