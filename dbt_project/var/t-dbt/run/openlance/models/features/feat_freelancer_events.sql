
    

    create  table
      "warehouse"."features"."feat_freelancer_events__dbt_tmp"
  
    
    as (
      with weighed_reviews as (
    select versions.*, cast(cast(floor((power(2.0, ((cast(epoch_us(versions.opened_at) - epoch_us(cast('2026-01-01 00:00:00' as timestamp)) as double) / 1000000.0) / 86400.0 / 365.0)) * (1 + case when cast(case
        when (cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) - floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) > 0.5 then floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) + 1
        when (cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) - floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) < 0.5 then floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18)))
        when cast(floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) as bigint) % 2 = 0 then floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18)))
        else floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) + 1
    end as bigint) >= 10000 then 1 else 0 end + case when cast(case
        when (cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) - floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) > 0.5 then floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) + 1
        when (cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) - floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) < 0.5 then floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18)))
        when cast(floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) as bigint) % 2 = 0 then floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18)))
        else floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) + 1
    end as bigint) >= 100000 then 1 else 0 end + case when cast(case
        when (cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) - floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) > 0.5 then floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) + 1
        when (cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) - floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) < 0.5 then floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18)))
        when cast(floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) as bigint) % 2 = 0 then floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18)))
        else floor(cast(contracts.total_minor as decimal(19, 0)) * cast(rates.factor as decimal(30, 18))) + 1
    end as bigint) >= 1000000 then 1 else 0 end)) * 1e10 + 0.5) as bigint) * cast(0.0000000001 as decimal(38, 12)) as decimal(38, 12)) as weight
    from "warehouse"."staging"."stg_marketplace__review_versions" as versions
    left join "warehouse"."staging"."stg_marketplace__contracts" as contracts on contracts.contract_id = versions.contract_id
    left join "warehouse"."intermediate"."int_usd_rates" as rates
        on rates.currency = contracts.currency
        and rates.valid_from <= cast(versions.opened_at as date)
        and cast(versions.opened_at as date) < rates.valid_to
)

select
    entity_id, event_at, known_at, contracts_done,
    cast(0 as bigint) as reviews,
    cast(0 as decimal(38, 12)) as weight,
    cast(0 as decimal(38, 12)) as weighted_rating
from (
    with standing as (
        select
            id, run_seq, is_backfill, known_at as logged_at,
            max(freelancer_id) over (partition by id) as entity_id,
            case when state = 'completed' and ended_at is not null and not is_deleted then ended_at end as counted_at,
            cast(case when state = 'completed' and ended_at is not null and not is_deleted then 1 else 0 end as bigint) as contracts_done
        from "warehouse"."staging"."stg_marketplace__contract_versions"
    ),
    steps as (
        select
            entity_id, is_backfill, logged_at,
            coalesce(counted_at, lag(counted_at) over (partition by id order by run_seq, logged_at), logged_at) as event_at,
            contracts_done - coalesce(lag(contracts_done) over (partition by id order by run_seq, logged_at), 0) as contracts_done
        from standing
    )
    select
        entity_id,
        event_at,
        case when is_backfill or logged_at < event_at then event_at else logged_at end as known_at,
        contracts_done
    from steps
    where contracts_done <> 0
) as completions

union all

select entity_id, event_at, known_at, cast(0 as bigint), cast(reviews as bigint), weight, weighted_rating
from (
    with standing as (
        select
            id, run_seq, is_backfill, known_at as logged_at,
            max(subject_id) over (partition by id) as entity_id,
            case when author_side = 'client' and opened_at is not null and not is_deleted then opened_at end as counted_at,
            cast(case when author_side = 'client' and opened_at is not null and not is_deleted then 1 else 0 end as decimal(38, 12)) as reviews,
            cast(case when author_side = 'client' and opened_at is not null and not is_deleted then weight else 0 end as decimal(38, 12)) as weight,
            cast(case when author_side = 'client' and opened_at is not null and not is_deleted then rating * weight else 0 end as decimal(38, 12)) as weighted_rating
        from weighed_reviews
    ),
    steps as (
        select
            entity_id, is_backfill, logged_at,
            coalesce(counted_at, lag(counted_at) over (partition by id order by run_seq, logged_at), logged_at) as event_at,
            reviews - coalesce(lag(reviews) over (partition by id order by run_seq, logged_at), 0) as reviews,
            weight - coalesce(lag(weight) over (partition by id order by run_seq, logged_at), 0) as weight,
            weighted_rating - coalesce(lag(weighted_rating) over (partition by id order by run_seq, logged_at), 0) as weighted_rating
        from standing
    )
    select
        entity_id,
        event_at,
        case when is_backfill or logged_at < event_at then event_at else logged_at end as known_at,
        reviews,
        weight,
        weighted_rating
    from steps
    where reviews <> 0 or weight <> 0 or weighted_rating <> 0
) as opened_reviews
    );
    
  