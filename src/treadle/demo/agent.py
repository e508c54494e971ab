"""The demo agent: answers questions about cars with three tools over real data and any available model."""

from __future__ import annotations

import os

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel

from treadle.demo.cars import TOOLS
from treadle.demo.scripted import ScriptedModel

PROMPT = "You answer questions about the cars of 1970 to 1982. Look everything up with the tools; be brief."


def model() -> BaseChatModel:
    """The OpenAI-compatible model configured in the environment, or else the scripted model."""
    if not (os.environ.get("OPENAI_API_KEY") or os.environ.get("OPENAI_BASE_URL")):
        return ScriptedModel()
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    # Local model servers often need no key, but the library requires one.
    key = SecretStr(os.environ.get("OPENAI_API_KEY") or "none")
    return ChatOpenAI(model=os.environ.get("OPENAI_MODEL", "gpt-4o-mini"), api_key=key, streaming=True)


agent = create_agent(model(), list(TOOLS), system_prompt=PROMPT)
