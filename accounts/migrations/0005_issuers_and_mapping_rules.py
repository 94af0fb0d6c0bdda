import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_identities"),
    ]

    operations = [
        migrations.CreateModel(
            name="Issuer",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=120, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("oidc", "OpenID provider"),
                            ("github", "GitHub Actions"),
                            ("kubernetes", "Kubernetes"),
                        ],
                        default="oidc",
                        max_length=12,
                    ),
                ),
                ("issuer", models.CharField(max_length=300, unique=True)),
                ("audiences", models.JSONField(default=list)),
                ("algorithms", models.JSONField(default=list)),
                ("subject_claim", models.CharField(default="sub", max_length=120)),
                ("groups_claim", models.CharField(blank=True, default="groups", max_length=120)),
                ("name_claim", models.CharField(blank=True, default="name", max_length=120)),
                ("jwks_url", models.CharField(blank=True, max_length=500)),
                ("given_keys", models.JSONField(blank=True, default=list)),
                ("authority", models.TextField(blank=True)),
                ("is_active", models.BooleanField(default=True)),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                ("fetched_keys", models.JSONField(blank=True, default=list)),
                ("fetched_at", models.DateTimeField(blank=True, null=True)),
                ("asked_at", models.DateTimeField(blank=True, null=True)),
                ("asked_for_unknown_at", models.DateTimeField(blank=True, null=True)),
                ("fetch_error", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.AddField(
            model_name="rolegrant",
            name="mapped",
            field=models.BooleanField(default=False),
        ),
        migrations.CreateModel(
            name="MappingRule",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "subject",
                    models.CharField(
                        choices=[("person", "person"), ("agent", "agent")], max_length=10
                    ),
                ),
                ("position", models.PositiveIntegerField()),
                ("name", models.CharField(max_length=120)),
                ("enabled", models.BooleanField(default=True)),
                ("built_in", models.BooleanField(default=False)),
                (
                    "source",
                    models.CharField(
                        blank=True,
                        choices=[("oidc", "oidc"), ("saml", "saml"), ("scim", "scim")],
                        max_length=10,
                    ),
                ),
                ("conditions", models.JSONField(default=list)),
                ("by_name", models.BooleanField(default=False)),
                ("roles", models.JSONField(blank=True, default=list)),
                ("agent_name", models.CharField(blank=True, max_length=200)),
                ("changed_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "changed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "issuer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rules",
                        to="accounts.issuer",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="mapping_rules",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "teams",
                    models.ManyToManyField(
                        blank=True, related_name="mapping_rules", to="accounts.team"
                    ),
                ),
            ],
            options={
                "ordering": ["subject", "position", "changed_at"],
            },
        ),
        migrations.CreateModel(
            name="AgentIdentity",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("subject", models.CharField(max_length=500)),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                ("last_used_at", models.DateTimeField(blank=True, null=True)),
                (
                    "agent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="identities",
                        to="accounts.agent",
                    ),
                ),
                (
                    "issuer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="identities",
                        to="accounts.issuer",
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="identities",
                        to="accounts.mappingrule",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "agent identities",
                "ordering": ["created_at"],
            },
        ),
        migrations.AddConstraint(
            model_name="mappingrule",
            constraint=models.UniqueConstraint(
                condition=models.Q(("built_in", True)),
                fields=("subject", "built_in"),
                name="mapping_rule_one_built_in",
            ),
        ),
        migrations.AddConstraint(
            model_name="mappingrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("issuer", None), ("subject", "person")),
                    models.Q(
                        ("issuer__isnull", False), ("owner__isnull", False), ("subject", "agent")
                    ),
                    _connector="OR",
                ),
                name="mapping_rule_fits_its_subject",
            ),
        ),
        migrations.AddConstraint(
            model_name="agentidentity",
            constraint=models.UniqueConstraint(
                fields=("issuer", "subject"), name="agent_identity_once"
            ),
        ),
    ]
