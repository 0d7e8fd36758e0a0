"""A disagreement on held money: opening it stops every clock of the milestone, settling it splits exactly what is held."""
