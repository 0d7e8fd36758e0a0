{#-
  to_viewer_minor on amounts worked out by hand: 1,000 yen at 0.8 cents are 800 cents; at 0.5 euro cents a cent they are 400 euro cents. The
  viewer's own currency is never converted there and back, halves go to the even unit, and an unknown rate stays unknown.
-#}
with cases as (
    select 1 as number, 1000 as minor, 'JPY' as currency, 800 as usd_minor, 'EUR' as viewer, 0.5 as per_cent, 400 as expected
    union all select 2, 1001, 'JPY', 801, 'JPY', 1.25, 1001
    union all select 3, 5, 'USD', 5, 'EUR', 0.5, 2
    union all select 4, 7, 'USD', 7, 'EUR', 0.5, 4
    union all select 5, 100, 'BRL', null, 'EUR', 0.5, null
    union all select 6, 100, 'USD', 100, 'BRL', null, null
    union all select 7, 100, 'BRL', null, 'BRL', null, 100
),

converted as (
    select *, {{ to_viewer_minor('minor', 'currency', 'usd_minor', 'viewer', 'per_cent') }} as found
    from cases
)

select * from converted where found is distinct from expected
