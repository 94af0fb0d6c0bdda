from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connections", "0005_registrations_are_confirmed")]

    operations = [
        migrations.AddConstraint(
            model_name="connection",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("is_active", False), ("confirmed_at__isnull", False), _connector="OR"
                ),
                name="connection_active_once_confirmed",
            ),
        ),
    ]
