"""Runs: creating them, the effect of each field, reading, multitasking."""

from conformance.row import Row

THREADED = tuple(f"POST /threads/{{thread_id}}/runs{end}" for end in ("", "/stream", "/wait"))
STATELESS = tuple(f"POST /runs{end}" for end in ("", "/stream", "/wait"))
W = "http/routes/test_runs.py::"
SEEN = "transcripts/test_runs.py::test_a_recorded_exchange"
LIVE = "transcripts/test_timing.py::test_a_recorded_exchange"

ROWS = (
    Row(
        "runs.after_seconds",
        "`after_seconds` delays a run without blocking later immediate runs. A negative value means now.",
        (
            f"{W}test_after_seconds_delays_a_run_and_no_other",
            f"{LIVE}[after_seconds]",
            "e2e/faults/test_creation.py::test_a_delayed_run_starts_on_time_after_a_restart",
        ),
    ),
    Row(
        "runs.assistant.by_name",
        "`assistant_id` is an id or the name of a graph.",
        (
            "e2e/sdk/test_sdk.py::test_waiting_and_joining",
            "http/routes/test_assistants.py::test_every_graph_has_an_assistant",
        ),
    ),
    Row(
        "runs.assistant.missing",
        "A missing `assistant_id` gets 422.",
        ("http/test_parse.py::test_a_missing_field_is_named", f"{W}test_a_bad_field_is_refused_by_name"),
    ),
    Row(
        "runs.assistant.unknown",
        "An unknown graph name gets 422 with the list of graphs, an unknown id 404.",
        (f"{W}test_a_bad_field_is_refused_by_name",),
    ),
    Row(
        "runs.batch",
        "A batch creates all of its runs in order, or none; an empty batch gets 422.",
        (
            f"{W}test_a_batch_is_made_whole_or_not_at_all",
            "e2e/sdk/test_sdk.py::test_a_batch_over_two_assistants",
            "js/runs.test.mjs::runs of two assistants start in one call, in order",
            f"{SEEN}[runs_batch]",
        ),
        ("POST /runs/batch",),
    ),
    Row(
        "runs.batch.spelling",
        "The JS SDK sends the fields of batch items in camel case (`streamMode`).",
        (f"{W}test_the_fields_of_a_batch_may_be_spelt_as_javascript_does",),
        divergence="They are accepted; the official server ignores them.",
    ),
    Row(
        "runs.batch.thread_id",
        "A batch item may name its thread.",
        ("conformance/test_runs.py::test_a_batch_item_runs_on_its_thread",),
        divergence="The run uses that thread, as the Python SDK documents; the official server ignores it.",
        defect=True,
    ),
    Row(
        "runs.checkpoint",
        "`checkpoint_id`, `checkpoint` and `config.configurable.checkpoint_id` all fork.",
        (
            f"{W}test_a_run_goes_on_from_the_checkpoint_it_names",
            "e2e/faults/test_interrupts.py::test_a_fork_from_a_checkpoint",
            "js/runs.test.mjs::${name} forks from there",
        ),
    ),
    Row(
        "runs.checkpoint.malformed",
        "A malformed checkpoint id gets 422.",
        (f"{W}test_a_bad_field_is_refused_by_name",),
    ),
    Row(
        "runs.checkpoint.unknown",
        "An unknown checkpoint starts from an empty state, which is an error in the stream.",
        ("conformance/test_runs.py::test_an_unknown_checkpoint_starts_empty",),
    ),
    Row(
        "runs.command",
        "`command` accepts resume, update (object or pairs) and goto, and takes precedence over `input`.",
        (
            f"{W}test_commands",
            "e2e/faults/test_interrupts.py::test_update_and_goto",
            "js/interrupts.test.mjs::update as pairs",
            "transcripts/test_runs.py::test_recorded_streams",
        ),
    ),
    Row(
        "runs.command.goto",
        "`goto` is a node, a list of nodes, or a node with its own input.",
        (
            f"{W}test_commands",
            "graph/test_stream.py::test_a_command_takes_updates_in_both_forms_and_any_mix_of_targets",
            "http/test_parse.py::test_a_mixed_goto_is_understood",
        ),
        divergence="A list may mix both; the official server refuses that.",
        defect=True,
    ),
    Row(
        "runs.command.nothing_waits",
        "Resuming a thread without a pending interrupt changes nothing.",
        ("js/interrupts.test.mjs::resume where nothing waits leaves the thread as it is",),
    ),
    Row(
        "runs.command.resume_empty_thread",
        "Resuming an empty thread.",
        (
            "transcripts/test_graph.py::test_resuming_an_empty_thread_runs_it_from_its_start",
            f"{SEEN}[command_on_empty_thread]",
        ),
        divergence="LangGraph runs the thread from its start; the official server fails with a TypeError of its own.",
        defect=True,
    ),
    Row(
        "runs.command.two_interrupts",
        "Two pending interrupts are answered by their ids; an answer without an id is an error.",
        (
            "js/interrupts.test.mjs::two at once are answered by their ids",
            "transcripts/test_runs.py::test_recorded_streams",
        ),
    ),
    Row(
        "runs.command.unknown_key",
        "A command with an unknown key.",
        (f"{W}test_a_bad_field_is_refused_by_name", "js/interrupts.test.mjs::an unknown key is refused by name"),
        divergence="It gets 422 with the key; the official server fails within the stream.",
        defect=True,
    ),
    Row(
        "runs.config",
        "tags, recursion_limit, configurable and metadata of `config` reach the graph.",
        (
            "transcripts/test_graph.py::test_configurable_tags_and_limit_reach_the_node",
            "js/runs.test.mjs::config: tags, limit, configurable and metadata",
            f"{W}test_a_recursion_limit_ends_a_run",
        ),
    ),
    Row(
        "runs.config.added",
        "The configurable gains the ids of run, thread, graph, assistant and request; clients cannot set its user.",
        (
            "transcripts/test_graph.py::test_configurable_tags_and_limit_reach_the_node",
            "service/test_assemble.py::test_nobody_can_say_who_they_are_in_the_configurable",
        ),
    ),
    Row(
        "runs.config.persisted_metadata",
        "Persisted metadata names the server that ran a run.",
        (f"{SEEN}[runs_create_get_list_join_delete]",),
        divergence="`treadle_version` and `run_attempt` replace the fields of the official server.",
    ),
    Row(
        "runs.context",
        "`context` reaches the graph; the request's keys win over the assistant's.",
        (
            "service/test_assemble.py::test_context_and_configurable_mirror_each_other_key_by_key",
            "transcripts/test_graph.py::test_a_context_fills_its_schema_and_unknown_keys_are_dropped",
            "js/runs.test.mjs::context reaches the graph",
        ),
    ),
    Row(
        "runs.context.both",
        "A request with both context and configurable gets 400.",
        (f"{W}test_a_bad_field_is_refused_by_name",),
    ),
    Row(
        "runs.context.unknown_keys",
        "Context keys that the graph's context class does not know are dropped.",
        (
            "transcripts/test_graph.py::test_a_context_fills_its_schema_and_unknown_keys_are_dropped",
            f"{SEEN}[context_config_metadata_merge]",
        ),
        divergence="The configurable mirrors the full context; only the graph's class drops unknown keys.",
    ),
    Row(
        "runs.create",
        "Creates a pending background run and sends its `content-location`.",
        (
            "e2e/sdk/test_sdk.py::test_runs_are_created_listed_cancelled_and_deleted",
            "js/runs.test.mjs::a run from its creation to its deletion",
            f"{SEEN}[runs_create_get_list_join_delete]",
        ),
        THREADED[:1],
    ),
    Row(
        "runs.create.durable",
        "An acknowledged run exists.",
        (
            "e2e/faults/test_crash.py::test_killed_right_after_the_answer_to_create",
            "e2e/faults/test_random_kills.py::test_every_acknowledged_run_survives_kills_at_random_instants",
        ),
        divergence="It is on disk before the response and ends exactly once; the in-memory server loses it in a crash.",
    ),
    Row(
        "runs.create.starts_at_once",
        "A run that waits is pending.",
        (f"{LIVE}[multitask_interrupt]", f"{LIVE}[headers_misc]"),
        divergence="Other runs start within milliseconds, so they are rarely seen pending; the official server polls.",
    ),
    Row(
        "runs.delete",
        "Deletes a run, even while it is running: 204; an unknown run gets 404.",
        (
            f"{W}test_a_deleted_run_is_gone",
            "e2e/faults/test_cancel.py::test_deleting_a_running_run_rolls_it_back",
            "js/runs.test.mjs::deleting a run that runs stops it",
        ),
        ("DELETE /threads/{thread_id}/runs/{run_id}",),
    ),
    Row(
        "runs.durability",
        "sync and async write a checkpoint per step, exit writes one; `checkpoint_during` is the older field.",
        (
            f"{W}test_durability",
            "e2e/faults/test_interrupts.py::test_durability_decides_how_many_checkpoints_stay",
            "js/runs.test.mjs::checkpointDuring false is the older word for it",
        ),
        divergence="`checkpoint_during` of a run reflects its durability.",
    ),
    Row(
        "runs.feedback_keys",
        "`feedback_keys` are accepted.",
        (f"{SEEN}[feedback_and_tracing_fields]",),
        divergence="They are stored with the run; treadle makes no outbound call at its end.",
    ),
    Row(
        "runs.get",
        "Returns a run; an unknown run or thread gets 404.",
        (
            f"{W}test_what_is_not_there_is_a_404",
            f"{W}test_a_run_of_another_thread_is_not_there",
            "e2e/sdk/test_sdk.py::test_runs_are_created_listed_cancelled_and_deleted",
        ),
        ("GET /threads/{thread_id}/runs/{run_id}",),
    ),
    Row(
        "runs.idempotency",
        "`Idempotency-Key`: the same key and body create one run, another body gets 409.",
        (
            f"{W}test_an_idempotency_key_makes_one_run",
            "e2e/faults/test_creation.py::test_one_key_makes_one_run_across_a_kill",
            "e2e/faults/test_creation.py::test_one_key_makes_one_batch",
        ),
        (*THREADED, *STATELESS),
        divergence="An addition to the official protocol.",
    ),
    Row(
        "runs.limits",
        "`treadle-concurrency-key` and `treadle-priority` set the concurrency key and the priority of a run.",
        (
            "e2e/test_limits.py::test_runs_of_a_key_share_its_slots",
            "e2e/test_limits.py::test_a_run_of_higher_priority_is_next",
            "e2e/test_limits.py::test_a_header_that_says_nothing_usable_is_refused",
        ),
        (*THREADED, *STATELESS),
        divergence="An addition to the official protocol.",
    ),
    Row(
        "runs.max_pending",
        "When too many runs are pending, creating more gets 429 with `Retry-After`; a batch is all or nothing.",
        (
            "e2e/test_limits.py::test_more_than_may_wait_are_refused_and_told_when_to_come_back",
            "e2e/test_limits.py::test_a_repeated_request_is_answered_however_many_wait",
        ),
        (*THREADED, *STATELESS),
        divergence="An addition that `max_pending_runs` enables.",
    ),
    Row(
        "runs.retention",
        "Ended runs and their events are deleted after the configured time; a thread keeps its state.",
        (
            "e2e/test_limits.py::test_events_of_old_runs_go_and_readers_are_told",
            "e2e/test_limits.py::test_old_runs_go_and_their_threads_stay",
        ),
        divergence="An addition, off by default: the official server keeps runs until they are deleted.",
    ),
    Row(
        "runs.if_not_exists",
        "`create` creates a missing thread with the run's metadata; otherwise an unknown thread gets 404.",
        (
            f"{W}test_if_not_exists_makes_the_thread",
            f"{W}test_a_run_needs_a_thread",
            "js/runs.test.mjs::ifNotExists makes the thread under the given id",
            f"{SEEN}[if_not_exists]",
        ),
    ),
    Row(
        "runs.input_null",
        "A null input continues from the thread's state, or retries the failed step.",
        (
            "js/runs.test.mjs::input null goes on where the thread stopped",
            f"{W}test_interrupts_before_and_after",
            "conformance/test_runs.py::test_a_null_input_retries_the_failed_step",
        ),
    ),
    Row(
        "runs.interrupt_before_after",
        "`interrupt_before` and `interrupt_after` accept a list of names or `*`; a bare name gets 422.",
        (
            f"{W}test_interrupts_before_and_after",
            f"{W}test_a_bad_field_is_refused_by_name",
            "e2e/faults/test_interrupts.py::test_interrupt_before_and_after",
        ),
    ),
    Row(
        "runs.langsmith_tracer",
        "`langsmith_tracer` is an object.",
        (f"{W}test_a_bad_field_is_refused_by_name", f"{SEEN}[feedback_and_tracing_fields]"),
        divergence="Any other value gets 422 (500 on the official server); no tracer is called.",
        defect=True,
    ),
    Row(
        "runs.langsmith_tracer.session",
        "`langsmith_session_name` is the tracer's project.",
        (f"{W}test_a_tracer_names_the_session_of_a_run_and_calls_nobody", f"{SEEN}[feedback_and_tracing_fields]"),
        divergence="A run shows the session of its tracer; the official server does not.",
    ),
    Row(
        "runs.list",
        "Lists runs with limit (10), offset and status.",
        (
            f"{W}test_runs_are_listed_newest_first_and_filtered",
            "js/runs.test.mjs::runs are listed newest first, paged, by status",
        ),
        ("GET /threads/{thread_id}/runs",),
    ),
    Row(
        "runs.list.filters",
        "Lists runs by metadata and creation time.",
        (
            f"{W}test_runs_are_listed_newest_first_and_filtered",
            "client/test_calls.py::test_runs_are_listed_by_time_status_and_metadata",
        ),
        divergence="An addition: the official server filters by status only.",
    ),
    Row(
        "runs.list.order",
        "Newest first.",
        (f"{W}test_runs_are_listed_newest_first_and_filtered", f"{LIVE}[after_seconds]"),
        divergence="Ordered by creation; the official server dates a delayed run by its start time.",
    ),
    Row(
        "runs.list.refusals",
        "An invalid limit, offset or status.",
        (f"{W}test_a_filter_that_means_nothing_is_refused",),
        divergence="Each gets 422 with the parameter's name; the official server answers `[]`, or counts from the end.",
        defect=True,
    ),
    Row(
        "runs.list.select",
        "`select` selects columns; unknown columns get 422.",
        (
            f"{W}test_columns_are_picked_however_the_list_is_spelt",
            f"{SEEN}[runs_list_select_json_array]",
            "js/runs.test.mjs::select picks columns",
        ),
        divergence="The JSON array of the JS SDK is accepted; the official server refuses it.",
        defect=True,
    ),
    Row(
        "runs.retry",
        "Retries a failed run from its last checkpoint.",
        (
            "http/routes/test_retry.py::test_a_retry_goes_on_from_where_the_run_failed",
            "http/routes/test_retry.py::test_a_retry_asks_the_same_and_names_the_run_that_failed",
            "http/routes/test_retry.py::test_a_run_that_never_came_to_a_checkpoint_is_asked_all_of_it_again",
            "http/routes/test_retry.py::test_a_cancelled_run_goes_on",
            "http/routes/test_retry.py::test_an_answer_to_an_interrupt_that_failed_is_given_again",
            "http/routes/test_retry.py::test_what_cannot_be_retried_is_refused",
            "auth/test_rules.py::test_a_retry_is_put_to_the_rule_of_creating_and_is_made_for_who_asks",
        ),
        ("POST /threads/{thread_id}/runs/{run_id}/retry",),
        divergence="An addition.",
    ),
    Row(
        "runs.search",
        "Finds and counts runs of all threads, newest first, by status, assistant, thread, metadata, tags and time.",
        (
            "http/routes/test_run_search.py::test_a_search_shows_what_became_of_runs_on_every_thread",
            "http/routes/test_run_search.py::test_runs_are_searched_and_counted_by_what_they_are",
            "http/routes/test_run_search.py::test_an_ended_stateless_run_is_gone_for_searches_too",
            "backends/tables/test_run_search.py::test_a_search_finds_what_a_look_at_every_run_finds",
            "auth/test_rules.py::test_runs_are_searched_by_what_the_rules_say_of_their_threads",
        ),
        ("POST /runs/search", "POST /runs/count"),
        divergence="An addition: the official server lists the runs of one thread.",
    ),
    Row(
        "runs.search.pages",
        "A page starts after the last run of the previous page, even if runs were created or deleted in between.",
        (
            "http/routes/test_run_search.py::test_a_page_goes_on_where_the_one_before_ended_whatever_came_meanwhile",
            "http/routes/test_run_search.py::test_a_cursor_is_of_one_order",
        ),
        divergence="An addition: `x-pagination-next` is a cursor for `after`.",
    ),
    Row(
        "runs.metadata",
        "A run merges the metadata of assistant, thread and request; the request wins.",
        (
            "service/test_assemble.py::test_metadata_is_the_assistants_then_the_threads_then_the_requests",
            f"{SEEN}[context_config_metadata_merge]",
        ),
    ),
    Row(
        "runs.multitask.enqueue",
        "enqueue (the default): first in, first out, one run at a time per thread.",
        (
            "e2e/faults/test_multitask.py::test_enqueue_is_first_in_first_out",
            "e2e/faults/test_multitask.py::test_one_run_at_a_time_however_many_ask",
            f"{LIVE}[multitask_enqueue]",
            f"{LIVE}[multitask_None]",
            "js/multitask.test.mjs::enqueue runs one after the other, in order",
        ),
    ),
    Row(
        "runs.multitask.enqueue_restart",
        "The queue of a thread keeps its order.",
        ("e2e/faults/test_multitask.py::test_enqueue_is_first_in_first_out_across_a_restart",),
        divergence="Also across a restart.",
    ),
    Row(
        "runs.multitask.interrupt",
        "interrupt: the old run ends as interrupted and keeps its checkpoints; the new run continues from them.",
        (
            f"{W}test_a_run_may_supersede_on_every_route",
            "e2e/faults/test_multitask.py::test_interrupt_stops_what_is_there_and_goes_on_top",
            f"{LIVE}[multitask_interrupt]",
        ),
    ),
    Row(
        "runs.multitask.reject",
        "reject on a busy thread gets 409 on create, stream and wait; pending runs count.",
        (
            f"{W}test_on_a_busy_thread_reject_is_a_conflict_on_every_route",
            "e2e/faults/test_multitask.py::test_reject_counts_pending_runs",
            f"{LIVE}[multitask_reject]",
            "js/multitask.test.mjs::reject refuses with 409 in create, stream and wait",
        ),
    ),
    Row(
        "runs.multitask.rollback",
        "rollback: the old run is deleted with its checkpoints; the new run starts from the earlier state.",
        (
            f"{W}test_a_run_may_supersede_on_every_route",
            "e2e/faults/test_multitask.py::test_rollback_removes_what_is_there",
            "js/multitask.test.mjs::rollback takes the first away and starts before it",
        ),
    ),
    Row(
        "runs.multitask.unknown",
        "An unknown strategy gets 422.",
        (f"{SEEN}[multitask_bogus]", "js/multitask.test.mjs::an unknown strategy is refused by name"),
    ),
    Row(
        "runs.on_completion",
        "The thread of a stateless run is deleted when the run ends, unless `on_completion` is keep.",
        (
            f"{W}test_a_temporary_thread_goes_unless_it_is_kept",
            "e2e/faults/test_creation.py::test_the_thread_of_a_stateless_run_is_gone_after_every_ending",
            "js/streams.test.mjs::onCompletion keep keeps the thread",
        ),
    ),
    Row(
        "runs.on_completion.crash",
        "It is deleted after a crash as well.",
        (
            "e2e/faults/test_creation.py::test_the_thread_of_a_stateless_run_is_gone_after_crashes",
            "e2e/faults/test_creation.py::test_what_is_left_of_stateless_runs_is_swept",
        ),
        divergence="An addition.",
    ),
    Row(
        "runs.on_disconnect",
        "A run continues when its client disconnects; with `on_disconnect` cancel, run and thread are interrupted.",
        (
            "e2e/faults/test_disconnect.py::test_on_disconnect_cancel",
            "e2e/faults/test_disconnect.py::test_on_disconnect_continue",
            f"{LIVE}[disconnect_on_disconnect_None]",
            f"{LIVE}[disconnect_on_disconnect_cancel]",
            f"{LIVE}[disconnect_on_disconnect_continue]",
            f"{LIVE}[disconnect_wait_None]",
        ),
    ),
    Row(
        "runs.on_disconnect.stateless",
        "The same holds for stateless runs.",
        (
            f"{LIVE}[disconnect_stateless_stream_None]",
            f"{LIVE}[disconnect_stateless_stream_cancel]",
            f"{LIVE}[disconnect_stateless_stream_continue]",
        ),
    ),
    Row(
        "runs.settings_of_assistant",
        "Tags and recursion limit of the request replace the assistant's.",
        (
            "service/test_assemble.py::test_tags_and_limits_of_the_request_replace_the_assistants",
            "js/runs.test.mjs::an assistant's own settings give way to the request's",
        ),
    ),
    Row(
        "runs.shape",
        "A run stores its request: kwargs, with defaults filled in.",
        (f"{W}test_what_was_asked_is_kept_on_the_run", f"{SEEN}[runs_create_get_list_join_delete]"),
    ),
    Row(
        "runs.stateless",
        "Stateless runs get a fresh thread.",
        (
            f"{SEEN}[runs_stateless_create]",
            "js/runs.test.mjs::a run without a thread makes one",
            "transcripts/test_runs.py::test_recorded_streams",
        ),
        STATELESS,
    ),
    Row(
        "runs.status_of_interrupted",
        "A run that stops for input ends as success; its thread is interrupted.",
        (
            f"{W}test_an_interrupt_is_answered_and_strict_resume_wants_one",
            "e2e/sdk/test_sdk.py::test_an_interrupt_is_seen_and_answered",
        ),
    ),
    Row(
        "runs.stream",
        "Creates a run and streams it.",
        ("e2e/sdk/test_sdk.py::test_every_mode_streams", "transcripts/test_runs.py::test_recorded_streams"),
        THREADED[1:2],
    ),
    Row(
        "runs.strict_resume",
        "A strict resume that answers no pending interrupt fails the run and leaves the thread unchanged.",
        (
            f"{W}test_an_interrupt_is_answered_and_strict_resume_wants_one",
            "graph/test_stream.py::test_a_strict_resume_that_answers_nothing_waiting_fails_and_changes_nothing",
            "e2e/sdk/test_sdk.py::test_the_newest_fields_of_the_sdk_are_understood",
        ),
        divergence="The official in-memory server ignores it.",
    ),
    Row(
        "runs.timeout",
        "A run can end as timeout.",
        ("e2e/faults/test_creation.py::test_a_run_over_its_time_ends_as_timeout",),
        divergence="After `run_timeout_seconds`; not observed on the official server.",
    ),
    Row(
        "runs.unknown_thread",
        "An unknown thread gets 404 `Thread or assistant not found`.",
        (f"{W}test_a_run_needs_a_thread",),
    ),
    Row(
        "runs.wait",
        "Answers the final values, preceded by white space that keeps the connection alive.",
        (
            "e2e/streams/test_readers.py::test_waiting_calls_are_kept_alive_with_white_space",
            "e2e/sdk/test_sdk.py::test_waiting_and_joining",
            "js/runs.test.mjs::gives the final state, on a thread and without",
            "transcripts/test_runs.py::test_recorded_streams",
        ),
        THREADED[2:],
    ),
    Row(
        "runs.wait.cut",
        "An interrupted wait can be continued at its `location`.",
        (
            "e2e/sdk/test_sdk.py::test_a_wait_that_is_cut_is_joined_where_the_server_says",
            "client/test_faults.py::test_a_cut_wait_goes_on_as_a_join",
        ),
    ),
    Row(
        "runs.wait.error",
        "A failed run answers 200 with `__error__`.",
        (
            "e2e/sdk/test_sdk.py::test_a_failed_run_raises_where_it_is_waited_for_and_says_error_in_a_stream",
            f"{SEEN}[error_wait]",
            "js/runs.test.mjs::raises what the node raised",
        ),
    ),
    Row(
        "runs.wait.interrupt",
        "An interrupted run answers its values and `__interrupt__`.",
        (
            "e2e/sdk/test_sdk.py::test_an_interrupt_is_seen_and_answered",
            "transcripts/test_runs.py::test_recorded_streams",
        ),
    ),
)
