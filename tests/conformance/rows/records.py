"""Threads, assistants, the store, and crons."""

from conformance.row import Row

H = "http/routes/test_threads.py::"
A = "http/routes/test_assistants.py::"
S = "http/routes/test_store.py::"
C = "http/routes/test_crons.py::"
F = "e2e/crons/test_firing.py::"
SEEN = "transcripts/test_records.py::test_transcript"
LIVE = "transcripts/test_timing.py::test_a_recorded_exchange"
TTL = "e2e/threads/test_ttl.py::"
ONE = "/threads/{thread_id}"
ASSISTANT = "/assistants/{assistant_id}"

ROWS = (
    Row(
        "threads.copy",
        "A copy has the history, but not the runs.",
        (
            f"{H}test_a_copy_has_the_history_but_not_the_runs",
            "js/threads.test.mjs::copy takes the state and its history along",
            f"{SEEN}[threads_crud]",
        ),
        (f"POST {ONE}/copy",),
    ),
    Row(
        "threads.copy.unknown",
        "Copying an unknown thread.",
        (f"{H}test_unknown_threads_and_malformed_ids", f"{SEEN}[threads_crud]"),
        divergence="It gets 404; the official server answers 409.",
        defect=True,
    ),
    Row(
        "threads.copy.values",
        "A fresh copy has no values yet.",
        (f"{SEEN}[threads_crud]", f"{SEEN}[threads_delete_busy]"),
        divergence="It has the values at the end of its history.",
    ),
    Row(
        "threads.count",
        "Counts the results of a search: a bare integer.",
        (
            f"{H}test_search_filters_sorts_selects_extracts_and_counts",
            "e2e/sdk/test_sdk.py::test_threads_from_creation_to_deletion",
        ),
        ("POST /threads/count",),
    ),
    Row(
        "threads.create",
        "Creates a thread, optionally with an id; an existing id gets 409, or the existing thread with do_nothing.",
        (
            f"{H}test_create_get_and_the_shape_of_a_fresh_thread",
            f"{H}test_an_existing_id_conflicts_unless_told_to_do_nothing",
            "js/threads.test.mjs::an id of one's own, twice",
            f"{SEEN}[threads_crud]",
        ),
        ("POST /threads",),
    ),
    Row(
        "threads.delete",
        "Deletes a thread with its runs, even while it is busy: 204.",
        (
            f"{H}test_delete_and_prune",
            f"{SEEN}[threads_delete_busy]",
            "e2e/sdk/test_sdk.py::test_threads_from_creation_to_deletion",
        ),
        (f"DELETE {ONE}",),
    ),
    Row(
        "threads.get",
        "Returns a thread; error and interrupts appear after the first run.",
        (f"{H}test_create_get_and_the_shape_of_a_fresh_thread", f"{SEEN}[threads_crud]"),
        (f"GET {ONE}",),
    ),
    Row(
        "threads.get.ttl",
        "`include=ttl` returns the lifetime.",
        (f"{TTL}test_the_official_sdk_gives_and_changes_it", f"{SEEN}[threads_crud]"),
        divergence="The official in-memory server returns nothing.",
    ),
    Row(
        "threads.history",
        "Lists states, newest first: limit (default 1), before, metadata, checkpoint.",
        (
            f"{H}test_history_by_limit_before_and_metadata",
            "js/threads.test.mjs::newest first, limited, before a checkpoint, by metadata",
            f"{SEEN}[thread_state_and_history]",
        ),
        (f"GET {ONE}/history", f"POST {ONE}/history"),
    ),
    Row(
        "threads.history.before",
        "`before` is an object on POST.",
        (f"{H}test_history_by_limit_before_and_metadata", f"{SEEN}[thread_state_and_history]"),
        divergence="A string is accepted too, as the Python SDK's type allows; the official server refuses it.",
        defect=True,
    ),
    Row(
        "threads.history.select",
        "`select` selects columns of a state.",
        (f"{H}test_select_picks_columns_of_a_state", f"{SEEN}[thread_state_and_history]", f"{LIVE}[multitask_enqueue]"),
        divergence="The official server ignores it.",
    ),
    Row(
        "threads.patch",
        "Merges metadata at the top level; `Prefer: return=minimal` answers 204.",
        (
            f"{H}test_a_patch_merges_metadata_at_the_top_level",
            "e2e/sdk/test_threads.py::test_threads",
            f"{SEEN}[threads_crud]",
        ),
        (f"PATCH {ONE}",),
    ),
    Row(
        "threads.prune",
        "Deletes threads, or all but their latest checkpoints; answers the number of threads.",
        (
            "e2e/threads/test_records.py::test_pruning_deletes_threads_or_their_older_checkpoints",
            f"{H}test_delete_and_prune",
        ),
        ("POST /threads/prune",),
        "keep_latest works; the official in-memory server refuses it. A busy thread gets 409.",
    ),
    Row(
        "threads.search",
        "Searches by ids, metadata and status, sorted and paged; `select` selects columns, `extract` adds `extracted`.",
        (
            f"{H}test_search_filters_sorts_selects_extracts_and_counts",
            "js/threads.test.mjs::select and extract",
            f"{SEEN}[threads_crud]",
        ),
        ("POST /threads/search",),
    ),
    Row(
        "threads.search.values",
        "Searches by values.",
        (
            f"{H}test_search_by_values_and_extracts_of_them",
            f"{SEEN}[threads_search_values]",
            "js/threads.test.mjs::by status and by values",
        ),
        divergence="It works; the official in-memory server answers 500.",
        defect=True,
    ),
    Row(
        "threads.state",
        "Returns the latest state; it is empty before the first run.",
        (
            f"{H}test_the_latest_state_and_the_state_at_a_checkpoint",
            "js/threads.test.mjs::of a fresh thread is empty",
            f"{SEEN}[thread_state_and_history]",
        ),
        (f"GET {ONE}/state",),
    ),
    Row(
        "threads.state.at_checkpoint",
        "Returns the state at a checkpoint, by id or by object; for an unknown checkpoint it is empty.",
        (
            f"{H}test_the_latest_state_and_the_state_at_a_checkpoint",
            "js/threads.test.mjs::now, at a checkpoint, and by a checkpoint object",
            f"{SEEN}[thread_state_and_history]",
        ),
        (f"GET {ONE}/state/{{checkpoint_id}}", f"POST {ONE}/state/checkpoint"),
    ),
    Row(
        "threads.state.namespace",
        "A checkpoint has an id, a thread and a namespace.",
        (f"{SEEN}[thread_state_and_history]",),
        divergence="The namespace is always included; the official server sometimes omits it.",
    ),
    Row(
        "threads.state.subgraphs",
        "`subgraphs` fills in the states of tasks.",
        (f"{H}test_the_states_of_sub_graphs", "js/threads.test.mjs::with that of sub-graphs"),
    ),
    Row(
        "threads.state.update",
        "Writes a state as a node, optionally at a checkpoint; an unknown node, or a thread without a graph, gets 400.",
        (
            f"{H}test_an_update_writes_a_state_and_the_thread_says_so",
            f"{H}test_an_update_may_fork_from_a_checkpoint",
            f"{H}test_an_update_that_the_graph_does_not_take_is_a_bad_request",
            f"{SEEN}[thread_state_and_history]",
        ),
        (f"POST {ONE}/state",),
    ),
    Row(
        "threads.state.update_busy",
        "An update of a busy thread gets 409; soon after a cancel it is accepted.",
        (
            f"{H}test_a_busy_thread_refuses_updates_and_checkpoints_of_others_are_refused",
            "e2e/threads/test_hold.py::test_an_update_of_a_busy_thread_is_refused_and_leaves_its_runs_alone",
            "e2e/remote/test_remote_state.py::test_an_update_gives_the_config_of_the_new_state",
        ),
    ),
    Row(
        "threads.storage",
        "Returns the storage usage of a thread.",
        ("e2e/threads/test_records.py::test_the_room_that_a_thread_takes", f"{SEEN}[threads_crud]"),
        (f"GET {ONE}/storage",),
        "The bytes are measured in treadle's tables.",
    ),
    Row(
        "threads.supersteps",
        "A thread can start with a history.",
        (
            "e2e/threads/test_records.py::test_a_thread_begins_with_the_history_that_the_sdk_gives_it",
            "js/threads.test.mjs::supersteps build a thread's history",
            f"{SEEN}[threads_supersteps]",
        ),
    ),
    Row(
        "threads.supersteps.no_graph",
        "A history without a graph.",
        (
            "e2e/threads/test_records.py::test_a_thread_that_cannot_have_its_history_is_not_made",
            f"{SEEN}[threads_supersteps]",
        ),
        divergence="It gets 422 and creates no thread; the official server answers 201 and keeps the thread.",
        defect=True,
    ),
    Row(
        "threads.ttl",
        "`ttl` {ttl, strategy}; a bare number gets 422.",
        (
            f"{TTL}test_a_thread_goes_when_its_time_is_over_with_all_it_has",
            f"{TTL}test_keep_latest_leaves_the_thread_and_its_latest_state",
            f"{TTL}test_odd_lifetimes_are_refused",
            "js/threads.test.mjs::a thread may be given a time to live",
        ),
    ),
    Row(
        "assistants.count",
        "Counts: a bare integer.",
        (f"{A}test_search_filters_sorts_selects_and_counts",),
        ("POST /assistants/count",),
    ),
    Row(
        "assistants.create",
        "Creates an assistant; an unknown graph gets 404, an existing id 409, or with do_nothing the assistant.",
        (
            f"{A}test_create_get_and_defaults",
            f"{A}test_an_existing_id_conflicts_unless_told_to_do_nothing",
            "js/assistants.test.mjs::an id of one's own, twice",
            f"{SEEN}[assistants_crud]",
        ),
        ("POST /assistants",),
    ),
    Row(
        "assistants.delete",
        "Deletes an assistant, optionally with its threads: 204.",
        (
            f"{A}test_delete_takes_its_threads_along_when_asked",
            "js/assistants.test.mjs::delete takes the threads along, if asked",
        ),
        (f"DELETE {ASSISTANT}",),
    ),
    Row(
        "assistants.delete.of_a_graph",
        "Deleting the default assistant of a graph.",
        (f"{SEEN}[assistants_crud]", f"{A}test_refusals"),
        divergence="It gets 409, because the graph's name would stop working; the official server deletes it.",
        defect=True,
    ),
    Row(
        "assistants.get",
        "Returns an assistant.",
        (f"{A}test_create_get_and_defaults", "e2e/sdk/test_sdk.py::test_assistants_configure_runs"),
        (f"GET {ASSISTANT}",),
    ),
    Row(
        "assistants.get.by_name",
        "The name of a graph can replace its assistant's id in paths.",
        (f"{SEEN}[assistants_crud]", "js/assistants.test.mjs::each graph has one from the start"),
        divergence="In all paths; the official server accepts names in some.",
    ),
    Row(
        "assistants.graph",
        "Returns nodes and edges; `xray` expands subgraphs, fully or to a depth.",
        (
            f"{A}test_the_drawing_of_a_graph",
            "e2e/remote/test_remote_state.py::test_the_drawing_is_that_of_the_local_graph",
            f"{SEEN}[assistants_graph_schemas_subgraphs]",
        ),
        (f"GET {ASSISTANT}/graph",),
    ),
    Row(
        "assistants.latest",
        "Makes an earlier version current; an unknown version gets 404.",
        (
            f"{A}test_versions_and_setting_the_latest_bring_back_the_context_too",
            "js/assistants.test.mjs::are listed, and an old one can be the latest again, context and all",
        ),
        (f"POST {ASSISTANT}/latest",),
        "Its context is restored too; the official server keeps the newer one.",
        True,
    ),
    Row(
        "assistants.latest.no_version",
        "A missing version is an error.",
        (f"{SEEN}[assistants_crud]",),
        divergence="It gets 422; the official server searches for a version `None` and answers 404.",
    ),
    Row(
        "assistants.of_graphs",
        "Each graph has a default assistant with its name.",
        (
            f"{A}test_every_graph_has_an_assistant",
            f"{A}test_starting_again_keeps_what_was_changed",
            "js/assistants.test.mjs::each graph has one from the start",
        ),
    ),
    Row(
        "assistants.patch",
        "A patch creates a version: metadata is merged, config and context are replaced.",
        (f"{A}test_a_patch_makes_a_version_merges_metadata_and_replaces_the_rest", f"{SEEN}[assistants_crud]"),
        (f"PATCH {ASSISTANT}",),
    ),
    Row(
        "assistants.schemas",
        "Returns JSON schemas of input, output, state, config and context.",
        (
            f"{A}test_the_schemas_of_a_graph_and_its_sub_graphs",
            "js/assistants.test.mjs::has schemas",
            f"{SEEN}[assistants_graph_schemas_subgraphs]",
        ),
        (f"GET {ASSISTANT}/schemas",),
        "Input and output of TypedDict graphs have schemas too.",
    ),
    Row(
        "assistants.search",
        "Searches by metadata, graph and name, sorted and paged; an unknown graph gets 404.",
        (
            f"{A}test_search_filters_sorts_selects_and_counts",
            "js/assistants.test.mjs::by metadata, graph and name; paged and sorted",
        ),
        ("POST /assistants/search",),
    ),
    Row(
        "assistants.subgraphs",
        "Returns the schemas of subgraphs by namespace; for an unknown namespace `{}`.",
        (
            f"{A}test_the_schemas_of_a_graph_and_its_sub_graphs",
            "js/assistants.test.mjs::has sub-graphs",
            f"{SEEN}[assistants_graph_schemas_subgraphs]",
        ),
        (f"GET {ASSISTANT}/subgraphs", f"GET {ASSISTANT}/subgraphs/{{namespace}}"),
    ),
    Row(
        "assistants.versions",
        "Lists versions, newest first.",
        (f"{A}test_versions_and_setting_the_latest_bring_back_the_context_too", f"{SEEN}[assistants_crud]"),
        (f"POST {ASSISTANT}/versions",),
    ),
    Row(
        "store.delete",
        "Deletes an item: 204, also for a missing one.",
        ("js/store.test.mjs::what is not there is null, and deleting it is no error", f"{SEEN}[store]"),
        ("DELETE /store/items",),
    ),
    Row(
        "store.get",
        "Returns an item, or `null` if it is missing; a request without a key gets 400.",
        (
            f"{S}test_the_official_sdk",
            "js/store.test.mjs::what is not there is null, and deleting it is no error",
            f"{SEEN}[store]",
        ),
        ("GET /store/items",),
    ),
    Row(
        "store.namespaces",
        "Lists namespaces by prefix, suffix and depth.",
        (
            f"{S}test_namespaces_by_prefix_suffix_depth_and_page",
            "js/store.test.mjs::namespaces by prefix, suffix and depth",
        ),
        ("POST /store/namespaces",),
    ),
    Row(
        "store.put",
        "Stores an item: 204. Dotted or empty labels get 422, an empty namespace or the root `langgraph` 400.",
        (f"{S}test_the_official_sdk", f"{S}test_refusals_name_the_field", f"{SEEN}[store]"),
        ("PUT /store/items",),
    ),
    Row(
        "store.refusals",
        "Errors of the store.",
        (f"{S}test_refusals_name_the_field",),
        divergence="They have the same shape as all errors; the official server answers bare text or `{error}`.",
    ),
    Row(
        "store.search",
        "Searches by prefix and filter, including `$gt` and similar operators, paged.",
        (
            f"{S}test_filters_limits_and_pages",
            "js/store.test.mjs::search by prefix, filter, limit and offset",
            f"{SEEN}[store]",
        ),
        ("POST /store/items/search",),
    ),
    Row(
        "store.search.limit_0",
        "A limit of 0.",
        (f"{SEEN}[store]",),
        divergence="It returns nothing; the official server ignores it.",
    ),
    Row(
        "store.search.no_prefix",
        "A search without a prefix.",
        (f"{SEEN}[store]", f"{S}test_filters_limits_and_pages"),
        divergence="Everything is searched; the official server answers 500.",
        defect=True,
    ),
    Row(
        "store.search.semantic",
        "With an index in langgraph.json, a `query` searches by meaning and returns scores.",
        (
            f"{S}test_semantic_search_puts_the_most_similar_first_and_scores_them",
            "project/test_storage.py::test_an_embedding_function_of_a_file_or_a_module_sync_or_async",
        ),
    ),
    Row(
        "store.ttl",
        "Items expire after their `ttl`; reading restarts it.",
        (
            f"{S}test_items_expire_unless_they_are_read_and_their_room_is_freed",
            "js/store.test.mjs::a ttl and a refresh are understood",
        ),
    ),
    Row(
        "crons.count",
        "Counts: a bare integer.",
        (f"{C}test_search_and_count", f"{LIVE}[crons]"),
        ("POST /runs/crons/count",),
    ),
    Row(
        "crons.create",
        "Creates a cron, on a thread or without one.",
        (
            f"{C}test_a_cron_without_a_thread",
            f"{C}test_a_cron_on_a_thread",
            f"{C}test_the_official_sdk",
            f"{LIVE}[crons]",
        ),
        ("POST /runs/crons", "POST /threads/{thread_id}/runs/crons"),
    ),
    Row(
        "crons.delete",
        "Deletes a cron: 204; an unknown cron gets 404.",
        (f"{C}test_delete", f"{LIVE}[crons]"),
        ("DELETE /runs/crons/{cron_id}",),
    ),
    Row(
        "crons.end_time",
        "A cron does not fire after `end_time`.",
        (f"{F}test_nothing_fires_after_the_end", f"{C}test_what_is_refused"),
        divergence="An `end_time` in the past gets 422; the official server accepts it.",
        defect=True,
    ),
    Row(
        "crons.firing",
        "A cron creates exactly one run per date, also across restarts.",
        (
            f"{F}test_a_cron_of_a_thread_makes_a_run_for_each_date",
            f"{F}test_after_a_time_without_a_server_it_fires_once",
            f"{F}test_many_schedulers_on_one_database_make_one_run_for_each_date",
            f"{F}test_every_field_reaches_the_run",
        ),
    ),
    Row(
        "crons.get",
        "Returns a cron.",
        (f"{LIVE}[crons]", f"{C}test_unknown_and_malformed_ids"),
        ("GET /runs/crons/{cron_id}",),
    ),
    Row(
        "crons.on_run_completed",
        "The thread of each run is deleted (delete) or kept (keep).",
        (
            f"{F}test_a_cron_without_a_thread_leaves_nothing_behind",
            f"{F}test_a_cron_that_keeps_its_threads_makes_one_each_time",
        ),
    ),
    Row(
        "crons.patch",
        "Merges metadata and recomputes the next date; an empty patch gets 400; a null end_time clears it.",
        (f"{C}test_patch", f"{C}test_patches_of_one_field", f"{LIVE}[crons]"),
        ("PATCH /runs/crons/{cron_id}",),
    ),
    Row(
        "crons.payload",
        "The payload is the request.",
        (f"{LIVE}[crons]",),
        divergence="It names the assistant as in the request; the official server replaces a graph's name by the id.",
    ),
    Row(
        "crons.schedule",
        "An invalid schedule or time zone gets 422.",
        (
            f"{C}test_what_is_refused",
            "service/test_cron_times.py::test_bad_schedules_are_refused_with_an_example",
            f"{LIVE}[crons]",
        ),
        divergence="Also a missing schedule; the official server answers 500.",
        defect=True,
    ),
    Row(
        "crons.search",
        "Searches by assistant, thread and enabled, sorted and paged, with selected columns.",
        (f"{C}test_search_and_count", f"{LIVE}[crons]", "js/crons.test.mjs::create, search, count, update, delete"),
        ("POST /runs/crons/search",),
    ),
    Row(
        "crons.time_zones",
        "Schedules follow the cron's time zone, including daylight saving.",
        (
            "service/test_cron_times.py::test_dates",
            "service/test_cron_times.py::test_a_cron_that_is_asked_in_the_repeated_hour_is_not_early",
        ),
    ),
    Row(
        "crons.unknown",
        "An unknown assistant or thread gets 404.",
        (
            f"{LIVE}[crons]",
            f"{C}test_what_is_refused",
            "js/crons.test.mjs::a schedule that is none, an unknown assistant, thread or cron",
        ),
    ),
)
