{#
  Validity intervals of a person's attributes, from the versions of the user and of one profile in the raw log.

  A row holds from valid_from up to, but not including, valid_to; exactly one row holds at each instant from the first on; the last one is
  open (valid_to 9999-12-31, is_current). An interval ends when the platform learnt of a change (_known_at), and runs that changed none of
  the attributes open no new one. The first interval begins when the profile was made, or when the platform first knew it, if that was
  earlier: what a person was before is not known. While a profile is deleted its attributes are null.

  `person` and `profile` map attribute names to columns of the two version models (profile has user_id and created_at).
#}
{% macro validity_intervals(profile_versions, entity, person, profile) -%}
    {%- set attributes = (person.keys() | list) + (profile.keys() | list) -%}
    with profiles as (
        select user_id, run_seq, max(known_at) as known_at, min(created_at) as created_at, max(case when is_deleted then 1 else 0 end) as deleted
            {%- for name, column in profile.items() %}, max({{ column }}) as {{ name }}{% endfor %}
        from {{ profile_versions }}
        group by user_id, run_seq
    ),

    people as (
        select id as user_id, run_seq, max(known_at) as known_at
            {%- for name, column in person.items() %}, max({{ column }}) as {{ name }}{% endfor %}
        from {{ ref('stg_marketplace__user_versions') }}
        where id in (select user_id from profiles)
        group by id, run_seq
    ),

    changes as (
        select user_id, run_seq, max(known_at) as known_at, max(profile_run) as profile_run, max(person_run) as person_run
        from (
            select user_id, run_seq, known_at, run_seq as profile_run, cast(null as bigint) as person_run from profiles
            union all
            select user_id, run_seq, known_at, cast(null as bigint), run_seq from people
        ) as both_logs
        group by user_id, run_seq
    ),

    standing as (
        select
            user_id,
            run_seq,
            known_at,
            max(profile_run) over upto as profile_run,
            max(person_run) over upto as person_run
        from changes
        window upto as (partition by user_id order by run_seq rows between unbounded preceding and current row)
    ),

    described as (
        select
            standing.user_id,
            standing.run_seq,
            standing.known_at,
            min(profiles.created_at) over (partition by standing.user_id) as created_at
            {%- for name in person %}, people.{{ name }}{% endfor %}
            {%- for name in profile %}, case when profiles.deleted = 0 then profiles.{{ name }} end as {{ name }}{% endfor %}
        from standing
        left join profiles on profiles.user_id = standing.user_id and profiles.run_seq = standing.profile_run
        left join people on people.user_id = standing.user_id and people.run_seq = standing.person_run
    ),

    compared as (
        select
            *,
            row_number() over (partition by user_id order by run_seq) as number
            {%- for name in attributes %},
            lag({{ name }}) over (partition by user_id order by run_seq) as {{ name }}_before
            {%- endfor %}
        from described
    ),

    opened as (
        select *, case when number = 1 then least(known_at, created_at) else known_at end as valid_from
        from compared
        where number = 1{% for name in attributes %} or {{ name }} is distinct from {{ name }}_before{% endfor %}
    )

    select
        user_id as {{ entity }},
        cast(valid_from as timestamp) as valid_from,
        coalesce(
            cast(lead(valid_from) over (partition by user_id order by run_seq) as timestamp), cast('9999-12-31 00:00:00' as timestamp)
        ) as valid_to,
        lead(valid_from) over (partition by user_id order by run_seq) is null as is_current,
        {%- for name in attributes %}
        {{ name }},
        {%- endfor %}
        run_seq as log_run
    from opened
{%- endmacro %}
