"""The demo's agent: a question about cars, three tools over real data, and whichever model there is."""

from __future__ import annotations

import os

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel

from treadle.demo.cars import TOOLS
from treadle.demo.scripted import ScriptedModel

PROMPT = "You answer questions about the cars of 1970 to 1982. Look everything up with the tools; be brief."


def model() -> BaseChatModel:
    """The OpenAI-compatible model that the environment names, else the scripted one."""
    if not (os.environ.get("OPENAI_API_KEY") or os.environ.get("OPENAI_BASE_URL")):
        return ScriptedModel()
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    # A server on the own machine often wants no key, but the library insists on one.
    key = SecretStr(os.environ.get("OPENAI_API_KEY") or "none")
    return ChatOpenAI(model=os.environ.get("OPENAI_MODEL", "gpt-4o-mini"), api_key=key, streaming=True)


agent = create_agent(model(), list(TOOLS), system_prompt=PROMPT)
