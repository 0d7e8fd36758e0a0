select country, country_name, currency
from {{ ref('countries') }}
