
    
      
    

    create  table
      "warehouse"."science"."feat_pairs__dbt_tmp"
  
  (
    batch varchar,
    freelancer_id bigint,
    job_id bigint,
    shown_at timestamp,
    position bigint,
    propensity double,
    bid_at timestamp,
    shortlisted_at timestamp,
    hired_at timestamp,
    reputation double,
    contracts_done bigint,
    client_hire_rate double,
    proposals bigint
    
    )
 ;
    
    
    insert into "warehouse"."science"."feat_pairs__dbt_tmp" 
  (
    
      
      
      batch ,
    
      
      
      freelancer_id ,
    
      
      
      job_id ,
    
      
      
      shown_at ,
    
      
      
      position ,
    
      
      
      propensity ,
    
      
      
      bid_at ,
    
      
      
      shortlisted_at ,
    
      
      
      hired_at ,
    
      
      
      reputation ,
    
      
      
      contracts_done ,
    
      
      
      client_hire_rate ,
    
      
      
      proposals 
    
  )
 (
      
    select batch, freelancer_id, job_id, shown_at, position, propensity, bid_at, shortlisted_at, hired_at, reputation, contracts_done, client_hire_rate, proposals
    from (
        with impressions as (
    select shown.*, jobs.client_id
    from "warehouse"."marts"."fct_job_impression" as shown
    inner join "warehouse"."marts"."fct_job" as jobs on jobs.job_id = shown.job_id
    where not shown.already_bid
),

freelancer_instants as (
    select distinct freelancer_id as entity_id, shown_at as instant from impressions
),

client_instants as (
    select distinct client_id as entity_id, shown_at as instant from impressions
),

job_instants as (
    select distinct job_id as entity_id, shown_at as instant from impressions
),

freelancers as (
    select entity_id, instant, contracts_done, reviews, weight, weighted_rating
    from (
        select
            entity_id, instant, is_instant,
            sum(contracts_done) over (
                partition by entity_id order by instant, is_instant rows between unbounded preceding and current row
            ) as contracts_done,
            sum(reviews) over (
                partition by entity_id order by instant, is_instant rows between unbounded preceding and current row
            ) as reviews,
            sum(weight) over (
                partition by entity_id order by instant, is_instant rows between unbounded preceding and current row
            ) as weight,
            sum(weighted_rating) over (
                partition by entity_id order by instant, is_instant rows between unbounded preceding and current row
            ) as weighted_rating
        from (
            select
                entity_id, greatest(event_at, known_at) as instant, 0 as is_instant, contracts_done, reviews, weight, weighted_rating
            from "warehouse"."features"."feat_freelancer_events"
            union all
            select entity_id, instant, 1 as is_instant, 0 as contracts_done, 0 as reviews, 0 as weight, 0 as weighted_rating
            from freelancer_instants
        ) as stream
    ) as summed
    where is_instant = 1
),

clients as (
    select entity_id, instant, jobs_ended, jobs_filled
    from (
        select
            entity_id, instant, is_instant,
            sum(jobs_ended) over (
                partition by entity_id order by instant, is_instant rows between unbounded preceding and current row
            ) as jobs_ended,
            sum(jobs_filled) over (
                partition by entity_id order by instant, is_instant rows between unbounded preceding and current row
            ) as jobs_filled
        from (
            select
                entity_id, greatest(event_at, known_at) as instant, 0 as is_instant, jobs_ended, jobs_filled
            from "warehouse"."features"."feat_client_events"
            union all
            select entity_id, instant, 1 as is_instant, 0 as jobs_ended, 0 as jobs_filled
            from client_instants
        ) as stream
    ) as summed
    where is_instant = 1
),

jobs as (
    select entity_id, instant, proposals
    from (
        select
            entity_id, instant, is_instant,
            sum(proposals) over (
                partition by entity_id order by instant, is_instant rows between unbounded preceding and current row
            ) as proposals
        from (
            select
                entity_id, greatest(event_at, known_at) as instant, 0 as is_instant, proposals
            from "warehouse"."features"."feat_job_events"
            union all
            select entity_id, instant, 1 as is_instant, 0 as proposals
            from job_instants
        ) as stream
    ) as summed
    where is_instant = 1
)

select
    impressions.batch,
    impressions.freelancer_id,
    impressions.job_id,
    impressions.shown_at,
    impressions.position,
    impressions.propensity,
    impressions.bid_at,
    impressions.shortlisted_at,
    impressions.hired_at,
    case when freelancers.reviews > 0 then
        (4.0 * 4.0
            + power(0.5, ((cast(epoch_us(impressions.shown_at) - epoch_us(cast('2026-01-01 00:00:00' as timestamp)) as double) / 1000000.0) / 86400.0 / 365.0)) * cast(freelancers.weighted_rating as double))
        / (4.0 + power(0.5, ((cast(epoch_us(impressions.shown_at) - epoch_us(cast('2026-01-01 00:00:00' as timestamp)) as double) / 1000000.0) / 86400.0 / 365.0)) * cast(freelancers.weight as double))
    end as reputation,
    cast(freelancers.contracts_done as bigint) as contracts_done,
    (cast(clients.jobs_filled + 1 as double) / cast(clients.jobs_ended + 2 as double)) as client_hire_rate,
    cast(jobs.proposals as bigint) as proposals
from impressions
inner join freelancers on freelancers.entity_id = impressions.freelancer_id and freelancers.instant = impressions.shown_at
inner join clients on clients.entity_id = impressions.client_id and clients.instant = impressions.shown_at
inner join jobs on jobs.entity_id = impressions.job_id and jobs.instant = impressions.shown_at
    ) as model_subq
    );
  