"""The shape of a langgraph.json: one Struct per section, decoded once by ``treadle.project.decode``.

The description of a type is the hint that a ConfigError gives when a value does not fit. Sections that refuse unknown
keys do so because a misspelled key there would silently switch something off, such as a limit or a rule.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

GRAPH_SHAPE = '"./file.py:attribute", "package.module:attribute" or {"path": …, "description": …}'

Count = Annotated[int, Meta(ge=1, description="an integer above 0")]
Port = Annotated[int, Meta(ge=1, le=65535, description="a port from 1 to 65535, such as 443")]
Host = Annotated[str, Meta(min_length=1, description='a host, such as "hooks.example.com"')]
Minutes = Annotated[float, Meta(gt=0, le=sys.float_info.max, description="a number of minutes above 0")]
Concurrent = Annotated[int, Meta(ge=1, description='an integer above 0, as in {"concurrency": 4}')]
Dimensions = Annotated[int, Meta(ge=1, description="the size of the embeddings, an integer above 0")]
Embed = Annotated[str, Meta(description='"provider:model", "./file.py:function" or "package.module:function"')]
UrlPath = Annotated[str, Meta(pattern=r"^((/[\w.~-]+)+/?)?\Z", description='a path such as "/api"')]
Environment = Annotated[
    str | dict[str, str | int | float | bool], Meta(description="the path of a .env file or an object")
]
MiddlewareOrder = Annotated[
    Literal["middleware_first"], Meta(description="middleware_first: an app's middleware runs before authentication")
]


class GraphEntry(Struct, frozen=True):
    path: str
    description: str | None = None


class StoreIndex(Struct, frozen=True):
    """Semantic search over the store."""

    dims: Dimensions
    embed: Embed
    fields: (
        Annotated[list[str], Meta(description='a list of paths, such as ["text", "meta.title"] or ["$"]')] | None
    ) = None


class StoreTTL(Struct, frozen=True):
    refresh_on_read: bool = True
    default_ttl: Minutes | None = None
    sweep_interval_minutes: Minutes | None = None


class StoreSection(Struct, frozen=True):
    index: StoreIndex | None = None
    ttl: StoreTTL | None = None


class CheckpointerTTL(Struct, frozen=True):
    strategy: Literal["delete", "keep_latest"] = "delete"
    default_ttl: Minutes | None = None
    sweep_interval_minutes: Minutes | None = None


class CheckpointerSection(Struct, frozen=True):
    ttl: CheckpointerTTL | None = None


class AuthSection(Struct, frozen=True, forbid_unknown_fields=True):
    path: str
    disable_studio_auth: bool = False
    openapi: dict[str, Any] = {}
    cache: Any = None


class CorsRules(Struct, frozen=True, forbid_unknown_fields=True):
    allow_origins: list[str] | UnsetType = UNSET
    allow_methods: list[str] | UnsetType = UNSET
    allow_headers: list[str] | UnsetType = UNSET
    allow_credentials: bool | UnsetType = UNSET
    allow_origin_regex: str | UnsetType = UNSET
    expose_headers: list[str] | UnsetType = UNSET
    max_age: Annotated[int, Meta(description="a number of seconds")] | UnsetType = UNSET


class HeaderPatterns(Struct, frozen=True, forbid_unknown_fields=True):
    includes: Annotated[list[str], Meta(description='a list of header names, such as ["x-org-*"]')] | None = None
    excludes: Annotated[list[str], Meta(description='a list of header names, such as ["x-org-*"]')] | None = None


class HttpSection(Struct, frozen=True, forbid_unknown_fields=True):
    """``logging_headers`` has no effect, because no header is logged."""

    app: str | None = None
    disable_assistants: bool = False
    disable_threads: bool = False
    disable_runs: bool = False
    disable_store: bool = False
    disable_webhooks: bool = False
    disable_meta: bool = False
    disable_mcp: bool = False
    disable_a2a: bool = False
    disable_ui: bool = False
    cors: CorsRules | None = None
    configurable_headers: HeaderPatterns | None = None
    logging_headers: HeaderPatterns | None = None
    middleware_order: MiddlewareOrder | None = None
    enable_custom_route_auth: bool = False
    mount_prefix: UrlPath | None = None


class WebhookUrls(Struct, frozen=True, forbid_unknown_fields=True):
    require_https: bool | None = None
    disable_loopback: bool | None = None
    allowed_domains: list[Host] | None = None
    allowed_ports: list[Port] | None = None
    max_url_length: Count | None = None


class WebhooksSection(Struct, frozen=True, forbid_unknown_fields=True):
    url: WebhookUrls | None = None
    headers: dict[str, str] | None = None
    env_prefix: str | None = None


class Concurrency(Struct, frozen=True, forbid_unknown_fields=True):
    concurrency: Concurrent


class TreadleSection(Struct, frozen=True, forbid_unknown_fields=True):
    """The limits: how many runs of a graph, and of one concurrency key, may be active at once."""

    graphs: dict[str, Concurrency] = {}
    keys: Concurrency = Concurrency(1)


class ProjectFile(Struct, frozen=True):
    """A whole langgraph.json, without the keys that only matter for building images."""

    graphs: Annotated[
        dict[str, Annotated[str | GraphEntry, Meta(description=GRAPH_SHAPE)]],
        Meta(min_length=1, description=f"an object of names, each with {GRAPH_SHAPE}"),
    ]
    dependencies: Annotated[list[str], Meta(description='a list such as ["."]')] = field(default_factory=lambda: ["."])
    env: Environment | None = None
    store: StoreSection = StoreSection()
    checkpointer: CheckpointerSection = CheckpointerSection()
    auth: AuthSection | UnsetType = UNSET
    http: HttpSection = HttpSection()
    webhooks: WebhooksSection = WebhooksSection()
    treadle: TreadleSection = TreadleSection()


_IMAGE_KEYS = (
    "ui ui_config encryption python_version node_version pip_config_file pip_installer dockerfile_lines base_image "
    "image_distro keep_pkg_tools api_version name source $schema"
)

KEYS = frozenset([*ProjectFile.__struct_fields__, *_IMAGE_KEYS.split()])
"""The keys that a langgraph.json may hold. The image keys configure builds, so this server ignores them."""
