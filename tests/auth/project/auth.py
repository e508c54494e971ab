"""Everybody owns what they make, as the documentation of langgraph_sdk.Auth has it."""

from __future__ import annotations

from typing import Any

from langgraph_sdk import Auth

auth = Auth()


@auth.authenticate
async def authenticate(authorization: str | None) -> Auth.types.MinimalUserDict:
    scheme, _, name = (authorization or "").partition(" ")
    if scheme != "Bearer" or not name:
        raise Auth.exceptions.HTTPException(401, "Who are you?", headers={"WWW-Authenticate": "Bearer"})
    return {"identity": name, "permissions": ["use"], "token": f"secret of {name}"}  # type: ignore[typeddict-unknown-key]


@auth.on
async def own(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> Auth.types.FilterType:
    mine = {"owner": ctx.user.identity}
    value.setdefault("metadata", {}).update(mine)
    return mine


@auth.on.store
async def scoped(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> None:
    namespace = tuple(value["namespace"] or ())
    value["namespace"] = namespace if namespace[:1] == (ctx.user.identity,) else (ctx.user.identity, *namespace)
