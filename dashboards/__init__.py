"""Streamlit dashboards on the published marts. Nothing here imports Django or reaches the operational database."""
