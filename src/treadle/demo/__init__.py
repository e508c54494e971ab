"""The demo project, as a user would write it: an agent, its tools, a model and a langgraph.json."""
