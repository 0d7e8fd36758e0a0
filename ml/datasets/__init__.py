"""Where frames come from: the published marts, and the simulator's truth for the oracle bound."""
