{#
  The raw log is append-only: the row with the highest _run_seq of a key is its present; a key whose latest row is a tombstone
  (_op = 'd') is gone. Within one run the later _known_at wins.
#}
{% macro current_rows(table) -%}
    select * from (
        select *, row_number() over (partition by id order by _run_seq desc, _known_at desc) as _age
        from {{ source('raw', table) }}
    ) as log
    where _age = 1 and _op <> 'd'
{%- endmacro %}

{#
  Every logged version of a table's rows, oldest first, with what point-in-time features need:
  run_seq, known_at, is_deleted, and is_backfill: the version came with the first run that brought any row. Nothing can tell when facts
  older than the platform were learnt, so these count as known when they happened; all later ones only from known_at on.
#}
{% macro row_versions(table, columns) -%}
    select
        id,
        {%- for column, name in columns.items() %}
        {{ column }} as {{ name }},
        {%- endfor %}
        _run_seq as run_seq,
        _known_at as known_at,
        _op = 'd' as is_deleted,
        _run_seq = min(_run_seq) over () as is_backfill
    from {{ source('raw', table) }}
{%- endmacro %}
