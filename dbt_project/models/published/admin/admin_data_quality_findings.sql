select run_seq, table_name, check_name, column_name, severity, measured, threshold, row_count, message, known_at
from {{ ref('fct_quality_finding') }}
