{{ grows('message_id', lives_in='stg_marketplace__messages', joins=true) }}

{#-
  reply_seconds: a message that answers the other side waits for nothing else than the oldest of the other side's messages since one's own
  last word. Only the first message of a turn is a reply; it is never less than 0, though two servers' clocks may differ by moments. A change
  anywhere in a conversation can move its replies: it is worked out whole.
-#}
-- depends_on: {{ ref('stg_marketplace__message_log') }}, {{ ref('stg_marketplace__conversation_log') }}
with spoken as (
    select
        messages.message_id,
        messages.conversation_id,
        conversations.job_id,
        conversations.client_id,
        conversations.freelancer_id,
        messages.seq,
        messages.author_id,
        case
            when messages.author_id = conversations.client_id then 'client'
            when messages.author_id = conversations.freelancer_id then 'freelancer'
            else 'staff'
        end as author_side,
        messages.sent_at,
        messages.log_run
    from {{ ref('stg_marketplace__messages') }} as messages
    left join {{ ref('stg_marketplace__conversations') }} as conversations on conversations.conversation_id = messages.conversation_id
    {%- if takes_changes() %}
    where messages.conversation_id in (
        select conversation_id
        from {{ ref('stg_marketplace__message_log') }}
        where message_id in (select message_id from {{ ref('stg_marketplace__message_log') }} where log_run > {{ newest_run() }})
        union all
        select conversation_id from {{ ref('stg_marketplace__conversation_log') }} where log_run > {{ newest_run() }}
    )
    {%- endif %}
),

compared as (
    select *, lag(author_side) over (partition by conversation_id order by seq) as side_before from spoken
),

numbered as (
    select
        *,
        side_before is null or side_before <> author_side as begins_turn,
        sum(case when side_before is null or side_before <> author_side then 1 else 0 end) over (
            partition by conversation_id order by seq rows between unbounded preceding and current row
        ) as turn
    from compared
),

turns as (
    select conversation_id, turn, min(sent_at) as began_at
    from numbered
    group by conversation_id, turn
)

select
    numbered.message_id,
    numbered.conversation_id,
    numbered.job_id,
    numbered.client_id,
    numbered.freelancer_id,
    numbered.seq,
    numbered.author_id,
    numbered.author_side,
    cast(numbered.turn as bigint) as turn,
    numbered.begins_turn and numbered.turn > 1 as is_reply,
    case
        when numbered.begins_turn and numbered.turn > 1 then greatest({{ seconds_between('turns.began_at', 'numbered.sent_at') }}, 0.0)
    end as reply_seconds,
    numbered.sent_at,
    cast(numbered.sent_at as date) as sent_on,
    numbered.log_run
from numbered
left join turns on turns.conversation_id = numbered.conversation_id and turns.turn = numbered.turn - 1
