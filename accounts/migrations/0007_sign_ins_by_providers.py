import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import hoopweb.lib.fields


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_directories_and_narrower_tokens"),
    ]

    operations = [
        migrations.CreateModel(
            name="Newcomer",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("issuer", models.CharField(max_length=300)),
                ("subject", models.CharField(max_length=255)),
                ("name", models.CharField(blank=True, max_length=120)),
                ("username", models.CharField(blank=True, max_length=150)),
                ("email", models.EmailField(blank=True, max_length=254)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "ordering": ["-at"],
            },
        ),
        migrations.CreateModel(
            name="SamlSignIn",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("request_id", models.CharField(max_length=100, unique=True)),
                ("target", models.TextField(blank=True)),
                (
                    "started_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                ("until", models.DateTimeField(db_index=True)),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
                ("answer", hoopweb.lib.fields.EncryptedTextField(blank=True)),
            ],
            options={
                "ordering": ["started_at"],
            },
        ),
        migrations.CreateModel(
            name="TakenToken",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("until", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.AddField(
            model_name="signin",
            name="issuer",
            field=models.CharField(blank=True, db_default="", max_length=300),
        ),
        migrations.AddField(
            model_name="signin",
            name="provider_session",
            field=models.CharField(blank=True, db_default="", max_length=255),
        ),
        migrations.AddField(
            model_name="signin",
            name="subject",
            field=models.CharField(blank=True, db_default="", max_length=255),
        ),
        migrations.AddIndex(
            model_name="signin",
            index=models.Index(fields=["issuer", "subject"], name="sign_in_identity"),
        ),
        migrations.AddField(
            model_name="newcomer",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="newcomers",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="newcomer",
            constraint=models.UniqueConstraint(fields=("issuer", "subject"), name="newcomer_once"),
        ),
    ]
