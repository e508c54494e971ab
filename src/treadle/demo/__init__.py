"""The demo's project, as a user would write one: an agent, its tools, a model and a langgraph.json."""
