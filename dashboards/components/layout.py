"""The room that every page has. Laid once, by the router: no page brings margins of its own."""

from __future__ import annotations

#: Streamlit's bar, 3.75rem high, lies over the page, which begins below it; long names break instead of pushing the rest out of sight
ROOM = """<style>
[data-testid="stMainBlockContainer"] { padding: 4.5rem clamp(1rem, 4vw, 4rem) 3rem; max-width: 82rem; }
[data-testid="stMainBlockContainer"] [data-testid="stMarkdownContainer"] { overflow-wrap: anywhere; }
</style>"""
#: two cards a line on a phone, four on a desk: Streamlit's own columns would give a phone one
CARDS = """<style>
[class*="st-key-cards-"] { display: grid; grid-template-columns: repeat(auto-fill, minmax(max(8.75rem, 22%), 1fr)); gap: 0.75rem; align-items: stretch; }
[class*="st-key-cards-"] > div { width: auto; min-width: 0; }
[class*="st-key-cards-"] > div > div { height: 100%; }
[class*="st-key-cards-"] p, [data-testid="stMetricDelta"] { white-space: normal; }
</style>"""
#: wide enough for SQL on a desk, never wider than a phone
LINEAGE = """<style>
[data-testid="stPopoverBody"] { width: min(44rem, 94vw); max-width: 94vw; max-height: min(36rem, 80vh); overflow: auto; }
[data-testid="stPopoverBody"] code, [data-testid="stPopoverBody"] td { overflow-wrap: anywhere; }
[class*="st-key-lineage-"] button { min-height: 1.6rem; padding: 0; color: #5d6765; }
[class*="st-key-lineage-"] button p { font-size: 0.8rem; }
</style>"""
STYLE = ROOM + CARDS + LINEAGE
