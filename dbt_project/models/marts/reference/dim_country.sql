select country, country_name, nullif(currency, 'XXX') as currency
from {{ ref('countries') }}
