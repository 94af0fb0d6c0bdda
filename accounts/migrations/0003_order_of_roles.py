from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_sign_ins_and_one_name_per_person")]

    operations = [
        migrations.AlterModelOptions(
            name="rolegrant", options={"ordering": ["role", "connection_id"]}
        ),
    ]
