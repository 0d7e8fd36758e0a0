{#- Seconds are summed as whole ones, so that the order of adding cannot matter. -#}
with talk as (
    select
        conversation_id,
        count(*) as messages,
        sum(case when author_side = 'client' then 1 else 0 end) as client_messages,
        sum(case when author_side = 'freelancer' then 1 else 0 end) as freelancer_messages,
        sum(case when is_reply and author_side = 'client' then 1 else 0 end) as client_replies,
        sum(case when is_reply and author_side = 'freelancer' then 1 else 0 end) as freelancer_replies,
        sum(case when is_reply and author_side = 'client' then cast(floor(reply_seconds) as bigint) else 0 end) as client_reply_seconds,
        sum(case when is_reply and author_side = 'freelancer' then cast(floor(reply_seconds) as bigint) else 0 end) as freelancer_reply_seconds,
        min(case when is_reply then sent_at end) as first_reply_at,
        min(sent_at) as first_message_at,
        max(sent_at) as last_message_at,
        max(seq) as last_seq
    from {{ ref('fct_message') }}
    group by conversation_id
)

select
    conversations.conversation_id,
    conversations.job_id,
    conversations.client_id,
    conversations.freelancer_id,
    cast(coalesce(talk.messages, 0) as bigint) as messages,
    cast(coalesce(talk.client_messages, 0) as bigint) as client_messages,
    cast(coalesce(talk.freelancer_messages, 0) as bigint) as freelancer_messages,
    cast(coalesce(talk.client_replies, 0) as bigint) as client_replies,
    cast(coalesce(talk.freelancer_replies, 0) as bigint) as freelancer_replies,
    cast(coalesce(talk.client_reply_seconds, 0) as bigint) as client_reply_seconds,
    cast(coalesce(talk.freelancer_reply_seconds, 0) as bigint) as freelancer_reply_seconds,
    case newest.author_side when 'client' then 'freelancer' when 'freelancer' then 'client' end as awaited_side,
    conversations.created_at,
    talk.first_message_at,
    talk.first_reply_at,
    talk.last_message_at
from {{ ref('stg_marketplace__conversations') }} as conversations
left join talk on talk.conversation_id = conversations.conversation_id
left join {{ ref('fct_message') }} as newest on newest.conversation_id = talk.conversation_id and newest.seq = talk.last_seq
