"""What the user's handlers may take, give and change, and what becomes of it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.errors import NotFoundError

from auth.serving_users import PROJECT, Users, ok, project_with, serve_users, until
from e2e.crons.serving import SetClock
from support.server_process import Server
from support.transport import StreamingTransport
from treadle.errors import ConfigError
from treadle.project.auth import auth_config
from treadle.project.load import load_config, load_graphs

OPEN = """
@auth.authenticate
async def authenticate(authorization: str | None):
    return (authorization or "").partition(" ")[2] or "anonymous"

"""


# --- authenticate -----------------------------------------------------------------------------------------------------

USERS = {
    "text": "async def who(authorization: str): return authorization.split()[1]",
    "a dict": "async def who(authorization: str): return {'identity': authorization.split()[1]}",
    "a plain function": "def who(headers: dict): return headers[b'authorization'].decode().split()[1]",
    "a plain function that blocks": "def who(headers):\n    time.sleep(0.05)\n    return 'ann'",
    "an object": "class U:\n    identity = 'ann'\n    permissions = ['a']\nasync def who(): return U()",
    "everything": (
        "async def who(request, body, path, method, path_params, query_params, headers, authorization):\n"
        "    assert (await request.json()) == body and body['metadata'] == {'a': 1}, body\n"
        "    assert (path, method, path_params, query_params) == ('/threads', 'POST', {}, {'q': '1'})\n"
        "    assert request.headers['authorization'].encode() == headers[b'authorization'] == authorization.encode()\n"
        "    return authorization.split()[1]"
    ),
    "with a default": "async def who(authorization: str = '', other: int = 1): return authorization.split()[1]",
}


@pytest.mark.parametrize("handler", USERS.values(), ids=USERS)
async def test_a_user_may_come_in_any_form(handler, tmp_path):
    by = "ctx.user.identity + ctx.user['identity']"
    rule = f"\n@auth.on\nasync def mark(ctx, value):\n    value['metadata']['by'] = {by}\n"
    project = project_with(tmp_path / "project", handler + "\nauth.authenticate(who)\n" + rule)
    async with serve_users(tmp_path / "data", project=project) as users:
        thread = ok(await users.ann.post("/threads?q=1", json={"metadata": {"a": 1}}))
        assert thread["metadata"] == {"a": 1, "by": "annann"}


REFUSALS = {
    "raise Auth.exceptions.HTTPException()": (401, "Unauthorized"),
    "raise Auth.exceptions.HTTPException(403, 'not you')": (403, "not you"),
    "raise Auth.exceptions.HTTPException(429, 'slow down', headers={'retry-after': '7'})": (429, "slow down"),
    "return None": (401, "Unauthorized"),
    "return ''": (401, "Unauthorized"),
    "return {'identity': 'a', 'is_authenticated': False}": (401, "Unauthorized"),
    "return {'name': 'a'}": (500, "Internal server error"),
    "return 7": (500, "Internal server error"),
    "raise ValueError('secret')": (500, "Internal server error"),
    "assert False, 'no'": (403, "no"),
    "await asyncio.sleep(60)": (503, "Authentication took longer than 0.3 seconds"),
    "time.sleep(1)": (503, "Authentication took longer than 0.3 seconds"),
    "raise TimeoutError": (500, "Internal server error"),
}


@pytest.mark.parametrize("body", REFUSALS)
async def test_who_is_not_let_in_gets_what_the_handler_says(body, tmp_path):
    project = project_with(tmp_path / "project", f"@auth.authenticate\nasync def who():\n    {body}\n")
    async with serve_users(tmp_path / "data", project=project, auth_seconds=0.3) as users:
        started = time.monotonic()
        asked = asyncio.create_task(users.ann.get("/threads/x"))
        await asyncio.sleep(0)
        assert (await users.ann.get("/ok")).status_code == 200
        response = await asked
        assert (response.status_code, response.json()["detail"]) == REFUSALS[body]
        assert set(response.json()) == {"detail", "code"}
        assert time.monotonic() - started < 5
        if "retry-after" in body:
            assert response.headers["retry-after"] == "7"


# --- on ---------------------------------------------------------------------------------------------------------------

PICKED = """
def says(name):
    async def handler(ctx, value):
        value["metadata"]["rule"] = name
    return handler

auth.on(says("global"))
auth.on(actions="update")(says("action"))
auth.on.threads(says("resource"))
auth.on.threads.create(says("exact"))
"""


async def test_the_most_specific_rule_decides(tmp_path):
    project = project_with(tmp_path / "project", OPEN + PICKED)
    async with serve_users(tmp_path / "data", project=project) as users:
        thread = ok(await users.ann.post("/threads", json={}))
        assert thread["metadata"]["rule"] == "exact"
        path = f"/threads/{thread['thread_id']}"
        assert ok(await users.ann.patch(path, json={"metadata": {"x": 1}}))["metadata"]["rule"] == "resource"
        assistant = ok(await users.ann.post("/assistants", json={"graph_id": "echo"}))
        assert assistant["metadata"]["rule"] == "global"
        changed = ok(await users.ann.patch(f"/assistants/{assistant['assistant_id']}", json={"name": "x"}))
        assert changed["metadata"]["rule"] == "action"


async def test_without_a_rule_that_matches_a_request_is_accepted(tmp_path):
    rule = "@auth.on.assistants\nasync def no(ctx, value):\n    return False\n"
    project = project_with(tmp_path / "project", OPEN + rule)
    async with serve_users(tmp_path / "data", project=project) as users:
        thread = ok(await users.ann.post("/threads", json={}))
        assert ok(await users.ben.get(f"/threads/{thread['thread_id']}"))
        assert (await users.ben.post("/assistants/search", json={})).status_code == 403
        # Every user who may run anything may run a graph's default assistant.
        ok(await users.ben.post("/runs/wait", json={"assistant_id": "echo", "input": {"text": "x"}}))


RESULTS = {
    "return None": 200,
    "return True": 200,
    "return {}": 200,
    "return False": 403,
    "return {'team': 'red'}": 200,
    "return {'team': {'$eq': 'red'}}": 200,
    "return {'team': 'blue'}": 404,
    "return {'gone': None}": 404,
    "return {'who': {'$contains': 'ann'}}": 200,
    "return {'who': {'$contains': ['ann', 'ben']}}": 200,
    "return {'who': {'$contains': ['ann', 'cid']}}": 404,
    "return {'team': {'$contains': 'red'}}": 404,
    "return {'team': 'red', 'who': {'$contains': 'cid'}}": 404,
    "return {'team': {'$ne': 'blue'}}": 500,
    "return 'yes'": 500,
    "return 1": 500,
    "raise Auth.exceptions.HTTPException(402, 'pay')": 402,
    "assert 'admin' in ctx.permissions": 403,
    "raise KeyError('x')": 500,
}


@pytest.mark.parametrize("result", RESULTS)
async def test_what_a_rule_gives_back_decides(result, tmp_path):
    rule = (
        f"@auth.on.threads.read\nasync def read(ctx, value):\n    {result}\n"
        f"@auth.on.threads.search\nasync def search(ctx, value):\n    {result}\n"
    )
    project = project_with(tmp_path / "project", OPEN + rule)
    async with serve_users(tmp_path / "data", project=project) as users:
        made = {"metadata": {"team": "red", "who": ["ann", "ben"]}}
        thread = ok(await users.ann.post("/threads", json=made))
        response = await users.ann.get(f"/threads/{thread['thread_id']}")
        assert response.status_code == RESULTS[result], response.text
        search = await users.ann.post("/threads/search", json={})
        count = await users.ann.post("/threads/count", json={})
        if RESULTS[result] in (200, 404):
            found = 1 if RESULTS[result] == 200 else 0
            assert (len(search.json()), search.headers["x-pagination-total"], count.json()) == (
                found,
                str(found),
                found,
            )
        else:
            assert search.status_code == count.status_code == RESULTS[result]


VALUES = """
seen = []

@auth.on
async def look(ctx, value):
    seen.append((ctx.resource, ctx.action, ctx.user.identity, value))
    if value.get("metadata", {}).get("change"):
        value["metadata"]["changed"] = [ctx.resource, ctx.action]

@auth.on.threads.create_run
async def run(ctx, value):
    import uuid
    assert isinstance(value["assistant_id"], uuid.UUID), value
    assert value["thread_id"] is None or isinstance(value["thread_id"], uuid.UUID), value
    assert value["kwargs"]["input"] == {"text": "mine"}, value
    value["kwargs"]["input"] = {"text": "theirs"}
    value["metadata"]["stamp"] = "s"
"""


async def test_what_a_rule_changes_is_what_is_stored(tmp_path):
    project = project_with(tmp_path / "project", OPEN + VALUES)
    run = {"assistant_id": "echo", "input": {"text": "mine"}}
    async with serve_users(tmp_path / "data", project=project) as users:
        thread = ok(await users.ann.post("/threads", json={"metadata": {"change": 1}}))
        assert thread["metadata"] == {"change": 1, "changed": ["threads", "create"]}
        path = f"/threads/{thread['thread_id']}"
        assert ok(await users.ann.post(f"{path}/runs/wait", json=run)) == {"text": "theirs"}
        assert ok(await users.ann.get(f"{path}/runs"))[0]["metadata"]["stamp"] == "s"
        batch = ok(await users.ann.post("/runs/batch", json=[run, {**run, "metadata": {"n": 2}}]))
        assert [(each["metadata"]["stamp"], each["metadata"].get("n")) for each in batch] == [("s", None), ("s", 2)]
        kept = ok(await users.ann.post("/runs", json={**run, "on_completion": "keep"}))
        assert ok(await users.ann.get(f"/threads/{kept['thread_id']}"))["metadata"]["stamp"] == "s"


async def test_a_filter_says_nothing_of_the_store_and_so_refuses(tmp_path):
    rule = "@auth.on\nasync def own(ctx, value):\n    return {'owner': ctx.user.identity}\n"
    project = project_with(tmp_path / "project", OPEN + rule)
    async with serve_users(tmp_path / "data", project=project) as users:
        response = await users.ann.put("/store/items", json={"namespace": ["a"], "key": "k", "value": {}})
        assert response.status_code == 403
        assert "namespace" in response.json()["detail"]


async def test_a_namespace_that_a_rule_makes_wrong_is_refused(users: Users):
    async with users.named("ann@example.org") as ann:
        assert (await ann.get("/store/items", params={"namespace": "a", "key": "k"})).status_code == 422
        item = {"namespace": ["a"], "key": "k", "value": {}}
        assert (await ann.put("/store/items", json=item)).status_code == 422


# --- what a user leaves behind ----------------------------------------------------------------------------------------


async def test_a_run_knows_its_user(users: Users):
    forged = {"configurable": {"langgraph_auth_user": {"identity": "root"}, "langgraph_auth_user_id": "root"}}
    made = ok(await users.ann.post("/runs/wait", json={"assistant_id": "who", "input": {}, "config": forged}))
    assert made["who"] == {
        "attribute": "ann",
        "item": "ann",
        "token": "secret of ann",
        "permissions": ["use"],
        "id": "ann",
        "user_id": "ann",
        "info": "ann",
    }


async def test_a_factory_knows_the_user_in_runs_and_in_everything_else(users: Users):
    thread = ok(await users.ann.post("/threads", json={}))
    path = f"/threads/{thread['thread_id']}"
    assert ok(await users.ann.post(f"{path}/runs/wait", json={"assistant_id": "made", "input": {}})) == {"who": "ann"}
    ok(await users.ann.post(f"{path}/state", json={"values": {"text": "x"}, "as_node": "for_ann_True"}))
    history = ok(await users.ann.post(f"{path}/history", json={"limit": 10}))
    assert len(history) == 4
    mine = ok(await users.ann.post("/assistants", json={"graph_id": "made"}))["assistant_id"]
    drawn = ok(await users.ann.get(f"/assistants/{mine}/graph"))
    assert "for_ann_True" in [node["id"] for node in drawn["nodes"]]


def test_a_restart_does_not_lose_the_user_of_a_run(tmp_path):
    with Server(PROJECT / "langgraph.json", tmp_path / "data") as server:

        async def first() -> dict[str, Any]:
            async with get_client(url=server.url, headers={"authorization": "Bearer ann"}) as ann:
                thread = await ann.threads.create()
                return dict(await ann.runs.create(thread["thread_id"], "who", input={}, after_seconds=1))

        async def second(run: dict[str, Any]) -> Any:
            async with get_client(url=server.url, headers={"authorization": "Bearer ann"}) as ann:
                return await ann.runs.join(run["thread_id"], run["run_id"])

        run = asyncio.run(first())
        server.restart()
        assert asyncio.run(second(run))["who"]["token"] == "secret of ann"


async def test_the_runs_of_a_cron_are_made_for_who_made_it(tmp_path):
    clock = SetClock("2026-11-22T15:00:00")
    async with serve_users(tmp_path, clock=clock, poll_seconds=0.02) as users:
        cron = {"assistant_id": "who", "schedule": "0 16 * * *", "input": {}, "on_run_completed": "keep"}
        cron_id = ok(await users.ann.post("/runs/crons", json=cron))["cron_id"]
        clock.set("2026-11-22T16:00:00")

        async def threads() -> Any:
            found = ok(await users.ann.post("/threads/search", json={"status": "idle"}))
            return [each for each in found if each.get("values")]

        made = await until(threads)
        assert made[0]["values"]["who"]["id"] == "ann"
        assert ok(await users.ben.post("/threads/search", json={})) == []
        assert ok(await users.ann.delete(f"/runs/crons/{cron_id}")) is None


async def test_a_webhook_does_not_tell_what_is_known_of_the_user(tmp_path):
    async with serve_users(tmp_path, webhook_allow_private=True) as users:
        run = {"assistant_id": "echo", "input": {}, "webhook": "http://127.0.0.1:9/hook"}
        ok(await users.ann.post("/runs/wait", json=run))

        async def deliveries() -> Any:
            return ok(await users.ann.get("/webhooks/deliveries"))

        delivery_id = (await until(deliveries))[0]["delivery_id"]
        payload = ok(await users.ann.get(f"/webhooks/deliveries/{delivery_id}"))["payload"]
        configurable = payload["kwargs"]["config"]["configurable"]
        assert (configurable["langgraph_auth_user"], configurable["langgraph_auth_user_id"]) == (None, "ann")
        assert "secret of ann" not in str(payload)


async def test_the_document_says_what_the_project_says_of_security(tmp_path):
    scheme = {"Bearer": {"type": "http", "scheme": "bearer"}}
    paths = {"/threads": {"POST": []}, "/nowhere": {"GET": []}}
    security = {"securitySchemes": scheme, "security": [{"Bearer": []}], "paths": paths}
    project = project_with(tmp_path / "project", OPEN, section={"openapi": security})
    async with serve_users(tmp_path / "data", project=project) as users:
        document = ok(await users.anonymous.get("/openapi.json"))
        assert document["components"]["securitySchemes"] == scheme
        assert document["security"] == [{"Bearer": []}]
        assert document["paths"]["/threads"]["post"]["security"] == []
        assert "/nowhere" not in document["paths"]


async def test_idempotency_keys_are_the_users_own(users: Users):
    made = {"json": {"assistant_id": "echo", "input": {}}, "headers": {"idempotency-key": "k"}}
    first = ok(await users.ann.post("/runs", **made))["run_id"]
    assert ok(await users.ann.post("/runs", **made))["run_id"] == first
    assert ok(await users.ben.post("/runs", **made))["run_id"] != first


async def test_threads_are_made_by_many_at_once_and_only_one_gets_the_id(users: Users):
    same = "01890a5d-ac96-774b-bcce-b302099a8057"
    body = {"assistant_id": "echo", "input": {"text": "x"}, "if_not_exists": "create", "after_seconds": 100}
    people = [users.named(f"user{number}") for number in range(8)]
    answers = await asyncio.gather(*(each.post(f"/threads/{same}/runs", json=body) for each in people))
    assert sorted(each.status_code for each in answers) == [200] + [404] * 7
    for each in people:
        await each.aclose()


async def test_the_official_sdk_works_with_its_headers(users: Users):
    ann = get_client(url="http://test", headers={"authorization": "Bearer ann"})
    ben = get_client(url="http://test", headers={"authorization": "Bearer ben"})
    for each in (ann, ben):
        each.http.client._transport = StreamingTransport(users.runtime.app)  # type: ignore[attr-defined]
    thread = await ann.threads.create()
    parts = [part async for part in ann.runs.stream(thread["thread_id"], "echo", input={"text": "x"})]
    assert parts[-1].data == {"text": "x"}
    with pytest.raises(NotFoundError):
        await ben.threads.get(thread["thread_id"])
    with pytest.raises(NotFoundError):
        [part async for part in ben.runs.stream(thread["thread_id"], "echo", input={})]
    assert await ben.threads.search() == []
    stateless = [part async for part in ben.runs.stream(None, "echo", input={"text": "y"})]
    assert stateless[-1].data == {"text": "y"}


# --- configuration ----------------------------------------------------------------------------------------------------

WRONG = {
    "auth.path": [{"path": "auth.py"}, {"path": "./nothing.py:auth"}, {"path": "./auth.py:other"}, {"path": 7}],
    "auth.paths": [{"paths": "./auth.py:auth"}],
    "auth.cache": [{"cache": {"cache_keys": ["x"]}}],
    "auth.disable_studio_auth": [{"disable_studio_auth": "yes"}],
    "auth.openapi": [{"openapi": []}],
}


def configured_auth(file):
    config = load_config(file)
    load_graphs(config)
    return auth_config(config)


@pytest.mark.parametrize(("key", "section"), [(key, each) for key, every in WRONG.items() for each in every])
def test_a_wrong_section_is_refused_with_its_key(key, section, tmp_path):
    file = project_with(tmp_path, OPEN, section=section)
    with pytest.raises(ConfigError) as refused:
        configured_auth(file)
    assert (refused.value.key, refused.value.file) == (key, str(tmp_path / "langgraph.json"))


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("", "no @auth.authenticate"),
        ("auth = 7", "not an Auth"),
        ("@auth.authenticate\nasync def who(token): ...", "takes token"),
        ("@auth.on\ndef plain(ctx, value): ...", "must be an async function"),
    ],
)
def test_a_wrong_auth_object_is_refused_with_the_reason(code, text, tmp_path):
    file = project_with(tmp_path, code)
    with pytest.raises(ConfigError, match=text):
        configured_auth(file)


# --- runs of all threads ----------------------------------------------------------------------------------------------

SEARCHED = """
@auth.on.threads.create
async def made(ctx, value):
    value["metadata"]["team"] = ctx.user.identity

@auth.on.threads.search
async def searched(ctx, value):
    HOW
"""


@pytest.mark.parametrize("how", ["return {'team': ctx.user.identity}", "value['metadata']['team'] = ctx.user.identity"])
async def test_runs_are_searched_by_what_the_rules_say_of_their_threads(how, tmp_path):
    """By a filter, or by what a rule puts into the metadata to search for: that of the thread, not of the run."""
    project = project_with(tmp_path / "project", OPEN + SEARCHED.replace("HOW", how))
    async with serve_users(tmp_path / "data", project=project) as users:
        late = {"assistant_id": "echo", "input": {}, "after_seconds": 3600, "metadata": {"team": "ben"}}
        made = {}
        for name, user in (("ann", users.ann), ("ben", users.ben)):
            thread = ok(await user.post("/threads", json={}))
            made[name] = ok(await user.post(f"/threads/{thread['thread_id']}/runs", json=late))["run_id"]
        for name, user in (("ann", users.ann), ("ben", users.ben)):
            found = ok(await user.post("/runs/search", json={"metadata": {"team": "ben"}}))
            assert [run["run_id"] for run in found] == [made[name]]
            assert ok(await user.post("/runs/count", json={})) == 1


# --- the state of the server ------------------------------------------------------------------------------------------

ADMIN = """
@auth.on
async def own(ctx, value):
    return None if ctx.user.identity == "admin" else {"owner": ctx.user.identity}
"""


async def test_the_state_of_the_server_is_for_who_may_see_all_threads(tmp_path):
    project = project_with(tmp_path / "project", OPEN + ADMIN)
    async with serve_users(tmp_path / "data", project=project) as users:
        assert (await users.ann.get("/server")).status_code == 403
        async with users.named("admin") as admin:
            assert ok(await admin.get("/server"))["workers"]


async def test_without_rules_the_state_of_the_server_is_for_whoever_is_known(tmp_path):
    project = project_with(tmp_path / "project", OPEN)
    async with serve_users(tmp_path / "data", project=project) as users:
        assert ok(await users.ann.get("/server"))["queue"]["pending"] == 0


# --- retrying ---------------------------------------------------------------------------------------------------------

CREATING = """
@auth.on.threads.create_run
async def creating(ctx, value):
    assert set(value) >= {"thread_id", "assistant_id", "run_id", "metadata", "kwargs"}, value
    assert value["run_id"] is None and value["assistant_id"], value
    assert ctx.user.identity == "ann", "only ann runs"
"""


async def test_a_retry_is_put_to_the_rule_of_creating_and_is_made_for_who_asks(tmp_path):
    project = project_with(tmp_path / "project", OPEN + CREATING)
    async with serve_users(tmp_path / "data", project=project) as users:
        thread = ok(await users.ann.post("/threads", json={}))
        path = f"/threads/{thread['thread_id']}/runs"
        run = ok(await users.ann.post(path, json={"assistant_id": "who", "input": {}, "after_seconds": 3600}))
        ok(await users.ann.post(f"{path}/{run['run_id']}/cancel"))
        refused = await users.ben.post(f"{path}/{run['run_id']}/retry")
        assert (refused.status_code, refused.json()["detail"]) == (403, "only ann runs")
        again = ok(await users.ann.post(f"{path}/{run['run_id']}/retry"))
        ok(await users.ann.get(f"{path}/{again['run_id']}/join"))
        state = ok(await users.ann.get(f"/threads/{thread['thread_id']}/state"))
        assert state["values"]["who"]["attribute"] == "ann"
