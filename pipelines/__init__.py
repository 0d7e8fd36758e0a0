"""The data platform: extract → raw log → dbt → published marts. Imports no Django."""
