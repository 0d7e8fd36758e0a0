{#- Every entry has the postings it declares, and where it names a gross, what leaves the hold (without a refund) sums to it. -#}
with postings as (
    select
        entry_id,
        count(*) as found,
        sum(case when gsv_flow = 'released' then amount_minor else 0 end) as released_minor
    from {{ ref('fct_posting') }}
    group by entry_id
)

select entries.entry_id, entries.kind, entries.posting_count, postings.found, entries.gross_minor, postings.released_minor
from {{ ref('fct_entry') }} as entries
left join postings on postings.entry_id = entries.entry_id
where coalesce(postings.found, 0) <> entries.posting_count
    or (entries.kind in ('release', 'settle') and entries.gross_minor <> postings.released_minor)
