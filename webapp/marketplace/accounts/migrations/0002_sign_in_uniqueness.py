"""Hold allauth's conditional unique constraints on MySQL and MariaDB; idempotent, because DDL there is not rolled back."""

from django.db import migrations

from marketplace.accounts.uniqueness import lay_in_migration


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("account", "0009_emailaddress_unique_primary_email"),
        ("mfa", "0003_authenticator_type_uniq"),
    ]

    operations = [migrations.RunPython(lay_in_migration, migrations.RunPython.noop)]
