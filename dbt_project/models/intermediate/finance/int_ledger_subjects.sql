{#- The amount of an entry counts once: what leaves or reaches a gateway's clearing account, else the whole. Fees a gateway took are apart. -#}
select
    entries.subject_type,
    entries.subject_id,
    postings.currency,
    cast(sum(case when entries.kind = 'deposit' then postings.amount_minor else 0 end) as bigint) as deposited_minor,
    cast(sum(
        case
            when entries.kind = 'card_refund_settle' then postings.amount_minor
            when entries.kind = 'card_refund_return' then -postings.amount_minor
            else 0
        end
    ) as bigint) as sent_back_minor,
    cast(sum(
        case
            when entries.kind in ('dispute_open', 'chargeback') then postings.amount_minor
            when entries.kind in ('dispute_won', 'dispute_less') then -postings.amount_minor
            else 0
        end
    ) as bigint) as charged_back_minor,
    cast(sum(
        case
            when entries.kind in ('payout_settle', 'payout_late') then postings.amount_minor
            when entries.kind = 'payout_return' then -postings.amount_minor
            else 0
        end
    ) as bigint) as paid_out_minor,
    cast(sum(
        case
            when entries.kind = 'payout_request' then postings.amount_minor
            when entries.kind in ('payout_settle', 'payout_fail') then -postings.amount_minor
            else 0
        end
    ) as bigint) as in_transit_minor,
    cast(sum(case when entries.kind = 'provider_fee' then postings.amount_minor else 0 end) as bigint) as provider_fee_minor
from {{ ref('stg_marketplace__ledger_entries') }} as entries
inner join {{ ref('stg_marketplace__ledger_postings') }} as postings on postings.entry_id = entries.entry_id
where entries.subject_type in ('payment', 'payment_refund', 'chargeback', 'payout') and entries.subject_id is not null
group by entries.subject_type, entries.subject_id, postings.currency
