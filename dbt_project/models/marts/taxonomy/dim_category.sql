select category_id, category_slug, category_name
from {{ ref('stg_marketplace__categories') }}
