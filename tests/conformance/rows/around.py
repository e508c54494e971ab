"""The system, webhooks, users' own code, and clients."""

from conformance.row import Row

APP = "http/test_user_app.py::"
LIVE = "transcripts/test_timing.py::test_a_recorded_exchange"
WEBHOOKS = "transcripts/test_timing.py::test_webhooks_match_the_recording"
G = "e2e/remote/test_remote_graph.py::"
E = "examples/test_examples.py::test_the_example_runs"

ROWS = (
    Row(
        "system.docs",
        "Serves a page with all routes.",
        ("http/routes/test_system.py::test_the_page_lists_every_route_and_loads_nothing",),
        ("GET /docs",),
        "It loads no external resources, so it works offline.",
    ),
    Row(
        "system.info",
        "Returns version and flags.",
        (
            "http/routes/test_system.py::test_ok_and_info",
            "conformance/test_runs.py::test_info_announces_strict_resume",
        ),
        ("GET /info",),
        "It describes this server and its limits for clients.",
    ),
    Row(
        "system.metrics",
        "Returns Prometheus text, or JSON with the official names.",
        (
            "http/routes/test_metrics.py::test_a_scraper_reads_what_has_happened",
            "http/routes/test_metrics.py::test_json_has_the_names_of_the_official_server",
            "transcripts/test_records.py::test_transcript[system]",
        ),
        ("GET /metrics",),
        "treadle's own metrics are added to the official ones.",
    ),
    Row(
        "system.state",
        "Returns the queue, runs by status, workers and their leases, database, webhooks, crons and settings.",
        (
            "http/routes/test_server_state.py::test_the_state_of_a_server_that_has_nothing_to_do",
            "http/routes/test_server_state.py::test_the_state_tells_of_runs_that_wait_and_of_the_workers_that_run_others",
            "http/routes/test_server_state.py::test_the_state_tells_of_webhooks_and_crons",
            "http/routes/test_server_state.py::test_of_secrets_the_state_tells_only_whether_they_are_set",
            "auth/test_rules.py::test_the_state_of_the_server_is_for_who_may_see_all_threads",
        ),
        ("GET /server",),
        "An addition. With auth, it requires that the user may see all threads.",
    ),
    Row(
        "system.ok",
        "`{ok: true}`.",
        ("http/routes/test_system.py::test_ok_and_info", "transcripts/test_records.py::test_transcript[system]"),
        ("GET /", "GET /ok"),
    ),
    Row(
        "webhooks.body",
        "The JSON body has the run, its start and end times, values and error, for every kind of ending.",
        (
            WEBHOOKS,
            "webhooks/test_endings.py::test_a_run_that_succeeds",
            "webhooks/test_endings.py::test_a_run_that_fails",
        ),
    ),
    Row(
        "webhooks.deliveries",
        "Deliveries can be listed, inspected and sent again.",
        (
            "webhooks/test_retries.py::test_deliveries_are_listed_by_what_they_are",
            "webhooks/test_retries.py::test_what_was_delivered_can_be_sent_again_under_the_same_id",
        ),
        (
            "GET /webhooks/deliveries",
            "GET /webhooks/deliveries/{delivery_id}",
            "POST /webhooks/deliveries/{delivery_id}/redeliver",
        ),
        "An addition.",
    ),
    Row(
        "webhooks.durable",
        "A webhook is delivered at least once, in the order in which the runs of a thread end.",
        (
            "webhooks/test_crash.py::test_killed_between_the_end_of_the_run_and_the_delivery",
            "webhooks/test_retries.py::test_the_webhooks_of_a_thread_come_in_the_order_of_the_endings",
        ),
        divergence="It is recorded in the transaction that ends the run, so it survives a crash.",
    ),
    Row(
        "webhooks.refused",
        "Loopback addresses, other schemes and URLs without a host are refused when the run is created.",
        ("webhooks/test_targets.py::test_it_is_refused_when_the_run_is_created", f"{LIVE}[webhook_validation]"),
    ),
    Row(
        "webhooks.refused.private",
        "Webhooks to private address ranges.",
        (
            "webhooks/test_targets.py::test_refused",
            "webhooks/test_targets.py::test_a_name_that_leads_inside_is_not_connected_to",
        ),
        divergence="They are refused, also when a name resolves to one; the official server delivers to them.",
        defect=True,
    ),
    Row(
        "webhooks.relative",
        "A relative URL names a route of the server itself.",
        ("webhooks/test_targets.py::test_a_relative_url_reaches_the_servers_own_routes",),
    ),
    Row(
        "webhooks.retries",
        "A delivery answered with 500 is retried; on the official server a 404 is not.",
        (
            WEBHOOKS,
            "webhooks/test_retries.py::test_a_receiver_that_answers_500_is_asked_again",
            "webhooks/test_retries.py::test_given_up_at_once",
        ),
        divergence="Retried with backoff for `webhook_retry_seconds` (a day), except 410 and refused targets.",
    ),
    Row(
        "webhooks.signed",
        "Deliveries are signed.",
        ("webhooks/test_retries.py::test_signatures_verify_with_the_library",),
        divergence="With the Standard Webhooks scheme, if a secret is set; the official server does not sign.",
    ),
    Row(
        "own_code.app",
        "`http.app`: a Starlette or FastAPI app is served next to the API, with its routes, middleware and lifespan.",
        (
            f"{APP}test_an_apps_routes_stand_beside_ours_and_before_them",
            f"{APP}test_an_apps_middleware_is_around_every_route",
            f"{APP}test_an_apps_lifespan_starts_before_the_first_request_and_ends_with_the_server",
            f"{APP}test_a_fastapi_app_works_with_its_dependencies_middleware_and_cors",
        ),
    ),
    Row(
        "own_code.cors",
        "`http.cors` replaces the CORS rules.",
        (f"{APP}test_cors_rules_replace_ours", f"{APP}test_what_cors_rules_leave_out_is_what_an_sdk_needs"),
    ),
    Row(
        "own_code.headers",
        "Configured headers are copied to the configurable; no header can set the user.",
        (
            f"{APP}test_headers_that_are_named_go_into_the_configurable",
            f"{APP}test_a_header_cannot_say_who_somebody_is",
        ),
    ),
    Row(
        "own_code.switches",
        "`http.disable_*` turns groups of routes off; a prefix moves them all.",
        (
            f"{APP}test_a_switch_turns_its_routes_off_and_no_others",
            f"{APP}test_everything_is_under_the_prefix_and_locations_say_so",
        ),
    ),
    Row(
        "own_code.auth",
        "`auth` handlers decide on every route; other users' objects get 404.",
        (
            "auth/test_matrix.py::test_a_route_lets_in_its_owner_alone",
            "auth/test_matrix.py::test_every_route_says_who_may_use_it",
            "auth/test_rules.py::test_the_official_sdk_works_with_its_headers",
        ),
    ),
    Row(
        "own_code.auth.rules",
        "The most specific rule decides; its changes are stored, and objects outside its filter are hidden.",
        (
            "auth/test_rules.py::test_the_most_specific_rule_decides",
            "auth/test_rules.py::test_what_a_rule_changes_is_what_is_stored",
            "auth/test_guard.py::test_every_verb_of_a_transaction_has_a_rule",
            "auth/test_guard.py::test_a_verb_without_a_rule_is_denied",
        ),
    ),
    Row(
        "own_code.factories",
        "Graph factories get config and runtime: access_context, execution_runtime, store.",
        (
            "project/test_load.py::test_a_factory_may_take_both",
            "project/test_load.py::test_the_context_of_a_runtime_is_made_by_its_schema",
            "auth/test_rules.py::test_a_factory_knows_the_user_in_runs_and_in_everything_else",
        ),
    ),
    Row(
        "clients.js",
        "The JS SDK, 2.0.0 and 1.15.0, works unmodified.",
        ("js/test_js.py::test_the_js_sdk", "js/test_js.py::test_the_example_runs"),
    ),
    Row(
        "clients.python",
        "The Python SDK works unmodified, async and sync, over sockets and in process.",
        (
            "e2e/sdk/test_sdk.py::test_every_mode_streams",
            "e2e/sdk/test_sdk.py::test_the_sync_client",
            "e2e/sdk/test_threads.py::test_threads",
            "http/routes/test_store.py::test_the_official_sdk",
            "http/routes/test_crons.py::test_the_official_sdk",
        ),
    ),
    Row(
        "clients.remote_graph",
        "RemoteGraph invokes and streams like the local graph, including subgraphs.",
        (
            f"{G}test_invoke_gives_the_final_message_with_all_its_fields",
            f"{G}test_messages_of_sub_graphs_are_as_many_with_equal_content",
            "e2e/remote/test_remote_node.py::test_its_question_stops_the_parent",
        ),
    ),
    Row(
        "clients.remote_graph.config",
        "RemoteGraph sends neither values that are not JSON nor checkpoint ids.",
        (f"{G}test_a_config_reaches_the_graph_without_what_is_not_json",),
    ),
    Row(
        "clients.remote_graph.state",
        "RemoteGraph reads and updates the state, history, interrupts before and after nodes, and the drawing.",
        (
            "e2e/remote/test_remote_state.py::test_the_state_is_a_snapshot_like_the_local_one",
            "e2e/remote/test_remote_state.py::test_interrupt_before",
            "e2e/remote/test_remote_state.py::test_history_is_limited_filtered_and_read_before_a_snapshot",
        ),
    ),
    Row(
        "client.cancel",
        "`runs.cancel` and `runs.cancel_many`.",
        ("client/test_calls.py::test_calls_have_their_method_and_path", f"{E}"),
    ),
    Row(
        "client.create",
        "`runs.create` returns the Run.",
        ("client/test_calls.py::test_a_run_is_created", f"{E}"),
    ),
    Row(
        "client.create_batch",
        "`runs.create_batch`: all or none, in order.",
        (
            "client/test_calls.py::test_a_batch_is_one_call",
            "client/test_calls.py::test_a_batch_item_takes_what_a_run_takes",
        ),
    ),
    Row(
        "client.delete",
        "`runs.delete` deletes a run permanently.",
        (
            "client/test_calls.py::test_calls_have_their_method_and_path",
            "examples/test_examples.py::test_failed_runs_are_deleted_once_they_are_old_enough",
        ),
    ),
    Row(
        "client.errors",
        "One exception class per kind, with status, detail, request and run.",
        (
            "client/test_calls.py::test_each_status_has_its_class",
            "client/test_live.py::test_errors_come_as_their_classes",
        ),
    ),
    Row(
        "client.get",
        "`runs.get` returns the Run, with times as datetimes.",
        ("client/test_calls.py::test_calls_have_their_method_and_path",),
    ),
    Row(
        "client.join",
        "`runs.join` returns the final values.",
        (
            "client/test_calls.py::test_calls_have_their_method_and_path",
            "client/test_faults.py::test_the_final_state_may_come_after_keep_alives",
        ),
    ),
    Row(
        "client.join_stream",
        "`runs.join_stream` reads from the start or after an id.",
        (
            "client/test_live.py::test_a_run_is_joined_after_each_of_its_events",
            "client/test_faults.py::test_a_joined_stream_keeps_its_filters_when_it_is_resumed",
        ),
    ),
    Row(
        "client.list",
        "`runs.list` lists by status, metadata and time, newest first.",
        ("client/test_calls.py::test_runs_are_listed_by_time_status_and_metadata",),
    ),
    Row(
        "client.search",
        "`runs.search` page by page, `runs.count`, `runs.retry`, and `server()`.",
        (
            "client/test_calls.py::test_runs_of_all_threads_are_searched_page_by_page",
            "client/test_calls.py::test_a_retry_has_a_key_so_that_it_can_be_repeated",
            "client/test_live.py::test_runs_are_searched_counted_and_retried",
        ),
    ),
    Row(
        "client.signal",
        "An AbortSignal stops reading, from any thread or task.",
        (
            "client/test_stopping.py::test_an_abort_ends_a_blocked_read_at_once",
            "client/test_stopping.py::test_one_signal_stops_many_tasks_and_leaves_them_uncancelled",
        ),
    ),
    Row(
        "client.stream",
        "`runs.stream` yields one class per mode for `match`; it resumes lost connections and detects cut ones.",
        (
            "client/test_events.py::test_every_event_name_has_its_class",
            "client/test_events.py::test_events_are_made_for_match",
            "client/test_live.py::test_cuts_anywhere_lose_and_repeat_nothing",
            "client/test_faults.py::test_an_end_of_the_body_without_an_end_event_is_a_drop",
        ),
    ),
    Row(
        "client.types",
        "`state_type` and `custom_type` decode into the user's types.",
        ("client/test_events.py::test_data_is_decoded_into_the_types_asked_for",),
    ),
    Row(
        "client.wait",
        "`runs.wait` with a timeout raises RunTimeoutError.",
        ("client/test_faults.py::test_waiting_ends_at_its_timeout_and_closes_the_connection",),
    ),
)
