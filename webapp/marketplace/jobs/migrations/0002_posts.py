"""What posts, invitations, saved searches, shortlists and merged skills need."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def tell_when_sent(apps, schema_editor):
    """Until now an invitation was known to its freelancer from the moment it was written."""
    apps.get_model("jobs", "Invitation").objects.update(sent_at=models.F("created_at"))


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='JobChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(help_text='Business time.')),
                ('state', models.CharField(choices=[('closed', 'closed'), ('draft', 'draft'), ('expired', 'expired'), ('filled', 'filled'), ('in_review', 'in review'), ('open', 'open'), ('removed', 'removed')], help_text="The post's state at the time.", max_length=12)),
                ('after_bids', models.BooleanField(help_text='Somebody had bid on it: bidders see this change.')),
                ('before', models.JSONField(default=dict)),
                ('after', models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name='JobFingerprint',
            fields=[
                ('job', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='fingerprint', serialize=False, to='jobs.job')),
                ('exact', models.CharField(max_length=32)),
                ('signature', models.BinaryField(max_length=256)),
                ('band_1', models.BigIntegerField()),
                ('band_2', models.BigIntegerField()),
                ('band_3', models.BigIntegerField()),
                ('band_4', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='JobMark',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('saved', 'Saved'), ('hidden', 'Hidden')], max_length=8)),
                ('created_at', models.DateTimeField(help_text='Business time.')),
            ],
        ),
        migrations.CreateModel(
            name='SavedSearch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100)),
                ('parameters', models.JSONField(default=dict, help_text='Words, filters and order as the search reads them from its address.')),
                ('pace', models.CharField(choices=[('instant', 'Instant'), ('daily', 'Daily'), ('off', 'Off')], default='daily', max_length=8)),
                ('created_at', models.DateTimeField(help_text='Business time.')),
                ('looked_at', models.DateTimeField(help_text='Posts opened later are new.')),
                ('look_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='SavedSearchMatch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('found_at', models.DateTimeField(help_text='Business time.')),
            ],
        ),
        migrations.CreateModel(
            name='Shortlist',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100)),
                ('created_at', models.DateTimeField(help_text='Business time.')),
            ],
        ),
        migrations.CreateModel(
            name='ShortlistItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('note', models.CharField(blank=True, max_length=2000)),
                ('added_at', models.DateTimeField(help_text='Business time.')),
            ],
        ),
        migrations.AddField(
            model_name='invitation',
            name='answered_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='invitation',
            name='decline_reason',
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name='invitation',
            name='message',
            field=models.CharField(blank=True, max_length=1000),
        ),
        migrations.AddField(
            model_name='invitation',
            name='sent_at',
            field=models.DateTimeField(help_text='Since when the freelancer knows of it.', null=True),
        ),
        migrations.RunPython(tell_when_sent, migrations.RunPython.noop),
        migrations.AddField(
            model_name='invitation',
            name='state',
            field=models.CharField(choices=[('accepted', 'accepted'), ('declined', 'declined'), ('expired', 'expired'), ('sent', 'sent')], default='sent', max_length=12),
        ),
        migrations.AddField(
            model_name='job',
            name='duplicate_of',
            field=models.ForeignKey(help_text='The near-identical post that the client confirmed.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='jobs.job'),
        ),
        migrations.AddField(
            model_name='job',
            name='held_at',
            field=models.DateTimeField(help_text='Since when it is in review: its time stands still meanwhile.', null=True),
        ),
        migrations.AddField(
            model_name='job',
            name='moderation_reason',
            field=models.CharField(blank=True, help_text='Why it is in review or was removed; the client reads it.', max_length=500),
        ),
        migrations.AddField(
            model_name='skill',
            name='merged_into',
            field=models.ForeignKey(help_text='Staff merged it: whoever names it means the other one.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='jobs.skill'),
        ),
        migrations.AddField(
            model_name='skill',
            name='renamed_at',
            field=models.DateTimeField(help_text='Staff chose the name: the files no longer say it.', null=True),
        ),
        migrations.AddField(
            model_name='skillalias',
            name='by_staff',
            field=models.BooleanField(default=False, help_text='A former name: it stays whatever the files say.'),
        ),
        migrations.AddIndex(
            model_name='invitation',
            index=models.Index(fields=['freelancer', 'sent_at', 'id'], name='invitation_inbox'),
        ),
        migrations.AddField(
            model_name='jobchange',
            name='actor',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='jobchange',
            name='job',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='changes', to='jobs.job'),
        ),
        migrations.AddIndex(
            model_name='jobfingerprint',
            index=models.Index(fields=['exact'], name='job_print_exact'),
        ),
        migrations.AddIndex(
            model_name='jobfingerprint',
            index=models.Index(fields=['band_1'], name='job_print_band_1'),
        ),
        migrations.AddIndex(
            model_name='jobfingerprint',
            index=models.Index(fields=['band_2'], name='job_print_band_2'),
        ),
        migrations.AddIndex(
            model_name='jobfingerprint',
            index=models.Index(fields=['band_3'], name='job_print_band_3'),
        ),
        migrations.AddIndex(
            model_name='jobfingerprint',
            index=models.Index(fields=['band_4'], name='job_print_band_4'),
        ),
        migrations.AddField(
            model_name='jobmark',
            name='job',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='jobs.job'),
        ),
        migrations.AddField(
            model_name='jobmark',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='savedsearch',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='savedsearchmatch',
            name='job',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='jobs.job'),
        ),
        migrations.AddField(
            model_name='savedsearchmatch',
            name='saved_search',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='matches', to='jobs.savedsearch'),
        ),
        migrations.AddField(
            model_name='shortlist',
            name='client',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='shortlistitem',
            name='freelancer',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='shortlistitem',
            name='shortlist',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='items', to='jobs.shortlist'),
        ),
        migrations.AddIndex(
            model_name='jobmark',
            index=models.Index(fields=['user', 'kind', 'created_at', 'id'], name='job_mark_list'),
        ),
        migrations.AddConstraint(
            model_name='jobmark',
            constraint=models.UniqueConstraint(fields=('user', 'job'), name='job_mark_once'),
        ),
        migrations.AddIndex(
            model_name='savedsearch',
            index=models.Index(fields=['user', 'created_at', 'id'], name='saved_search_list'),
        ),
        migrations.AddIndex(
            model_name='savedsearch',
            index=models.Index(fields=['look_at', 'id'], name='saved_search_due'),
        ),
        migrations.AddConstraint(
            model_name='savedsearchmatch',
            constraint=models.UniqueConstraint(fields=('saved_search', 'job'), name='saved_search_match_once'),
        ),
        migrations.AddIndex(
            model_name='shortlist',
            index=models.Index(fields=['client', 'created_at', 'id'], name='shortlist_list'),
        ),
        migrations.AddIndex(
            model_name='shortlistitem',
            index=models.Index(fields=['shortlist', 'added_at', 'id'], name='shortlist_items'),
        ),
        migrations.AddConstraint(
            model_name='shortlistitem',
            constraint=models.UniqueConstraint(fields=('shortlist', 'freelancer'), name='shortlist_item_once'),
        ),
    ]
