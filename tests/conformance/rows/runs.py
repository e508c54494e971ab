"""Runs: creating, what each field does, reading, multitasking (wire.md, 3; runs-client.md)."""

from conformance.row import Row

CALLS = "wire.md 3, Endpoints"
FIELDS = "wire.md 3, Request fields"
RUN = "wire.md 3, Run"
MERGES = "wire.md 3, Merges"
ERRORS = "wire.md 3, Errors"
BODIES = "wire.md 3, Wait / join bodies"
MULTITASK = "wire.md 3, Multitask"
OTHER = "wire.md 3, Other options"
CLIENT = "runs-client.md"

THREADED = tuple(f"POST /threads/{{thread_id}}/runs{end}" for end in ("", "/stream", "/wait"))
STATELESS = tuple(f"POST /runs{end}" for end in ("", "/stream", "/wait"))
W = "wire/test_runs.py::"
SEEN = "wire/test_transcripts.py::test_a_recorded_exchange"
LIVE = "conformance/test_transcripts.py::test_a_recorded_exchange"

ROWS = (
    Row(
        "runs.after_seconds",
        FIELDS,
        "`after_seconds` delays a run; it blocks no later immediate one. Negative is now.",
        (
            f"{W}test_after_seconds_delays_a_run_and_no_other",
            f"{LIVE}[after_seconds]",
            "faults/test_creation.py::test_a_delayed_run_starts_on_time_after_a_restart",
        ),
    ),
    Row(
        "runs.assistant.by_name",
        FIELDS,
        "`assistant_id` is an id or a graph's name.",
        ("sdk/test_sdk.py::test_waiting_and_joining", "http/test_assistants.py::test_every_graph_has_an_assistant"),
    ),
    Row(
        "runs.assistant.missing",
        ERRORS,
        "No `assistant_id` is a 422.",
        ("http/test_parse.py::test_a_missing_field_is_named", f"{W}test_a_bad_field_is_refused_by_name"),
    ),
    Row(
        "runs.assistant.unknown",
        ERRORS,
        "An unknown graph name is a 422 that lists the graphs, an unknown id a 404.",
        (f"{W}test_a_bad_field_is_refused_by_name",),
    ),
    Row(
        "runs.batch",
        CALLS,
        "A batch makes all of its runs, in order, or none; an empty one is a 422.",
        (
            f"{W}test_a_batch_is_made_whole_or_not_at_all",
            "sdk/test_sdk.py::test_a_batch_over_two_assistants",
            "js/runs.test.mjs::runs of two assistants start in one call, in order",
            f"{SEEN}[runs_batch]",
        ),
        ("POST /runs/batch",),
    ),
    Row(
        "runs.batch.spelling",
        CALLS,
        "The JS SDK sends the fields of a batch as its callers write them (`streamMode`).",
        (f"{W}test_the_fields_of_a_batch_may_be_spelt_as_javascript_does",),
        divergence="They are understood; the official server ignores them.",
    ),
    Row(
        "runs.batch.thread_id",
        CALLS,
        "An item of a batch may name its thread.",
        ("conformance/test_runs.py::test_an_item_of_a_batch_runs_on_the_thread_it_names",),
        divergence="It runs there, as the Python SDK documents; the official server ignores it.",
        defect=True,
    ),
    Row(
        "runs.checkpoint",
        OTHER,
        "`checkpoint_id`, `checkpoint` and `config.configurable.checkpoint_id` all fork.",
        (
            f"{W}test_a_run_goes_on_from_the_checkpoint_it_names",
            "faults/test_interrupts.py::test_a_fork_from_a_checkpoint",
            "js/runs.test.mjs::${name} forks from there",
        ),
    ),
    Row(
        "runs.checkpoint.malformed",
        ERRORS,
        "A checkpoint id that is no UUID is a 422.",
        (f"{W}test_a_bad_field_is_refused_by_name",),
    ),
    Row(
        "runs.checkpoint.unknown",
        OTHER,
        "An unknown checkpoint starts empty, and an empty start is an error in the stream.",
        ("conformance/test_runs.py::test_an_unknown_checkpoint_starts_empty",),
    ),
    Row(
        "runs.command",
        OTHER,
        "`command` takes resume, update (object or pairs) and goto, and beats `input`.",
        (
            f"{W}test_commands",
            "faults/test_interrupts.py::test_update_and_goto",
            "js/interrupts.test.mjs::update as pairs",
            "wire/test_transcripts.py::test_recorded_streams",
        ),
    ),
    Row(
        "runs.command.goto",
        OTHER,
        "`goto` is a node, a list of nodes, or a node with an input of its own.",
        (
            f"{W}test_commands",
            "graph/test_stream.py::test_a_command_takes_updates_in_both_forms_and_any_mix_of_targets",
            "http/test_parse.py::test_a_mixed_goto_is_understood",
        ),
        divergence="A list may mix nodes and nodes with inputs; the official server refuses that.",
        defect=True,
    ),
    Row(
        "runs.command.nothing_waits",
        OTHER,
        "A resume where nothing waits changes nothing.",
        ("js/interrupts.test.mjs::resume where nothing waits leaves the thread as it is",),
    ),
    Row(
        "runs.command.resume_empty_thread",
        OTHER,
        "A resume on an empty thread.",
        (
            "graph/test_transcripts.py::test_resuming_an_empty_thread_runs_it_from_its_start",
            f"{SEEN}[command_on_empty_thread]",
        ),
        divergence="LangGraph runs the thread from its start; the official server fails with a TypeError of its own.",
        defect=True,
    ),
    Row(
        "runs.command.two_interrupts",
        OTHER,
        "Of two questions that wait, each is answered by its id; a bare answer is an error.",
        (
            "js/interrupts.test.mjs::two at once are answered by their ids",
            "wire/test_transcripts.py::test_recorded_streams",
        ),
    ),
    Row(
        "runs.command.unknown_key",
        ERRORS,
        "A command with an unknown key.",
        (f"{W}test_a_bad_field_is_refused_by_name", "js/interrupts.test.mjs::an unknown key is refused by name"),
        divergence="It is a 422 that names the key; the official server fails within the stream.",
        defect=True,
    ),
    Row(
        "runs.config",
        FIELDS,
        "tags, recursion_limit, configurable and metadata of `config` reach the graph.",
        (
            "graph/test_transcripts.py::test_configurable_tags_and_limit_reach_the_node",
            "js/runs.test.mjs::config: tags, limit, configurable and metadata",
            f"{W}test_a_recursion_limit_ends_a_run",
        ),
    ),
    Row(
        "runs.config.added",
        RUN,
        "The configurable gains the ids of run, thread, graph, assistant, request; nobody can set the user in it.",
        (
            "graph/test_transcripts.py::test_configurable_tags_and_limit_reach_the_node",
            "wire/test_assemble.py::test_nobody_can_say_who_they_are_in_the_configurable",
        ),
    ),
    Row(
        "runs.config.persisted_metadata",
        RUN,
        "What is persisted says which server ran it.",
        (f"{SEEN}[runs_create_get_list_join_delete]",),
        divergence="`treadle_version` and `run_attempt` stand in place of the names of the official server.",
    ),
    Row(
        "runs.context",
        MERGES,
        "`context` reaches the graph; the request's keys win over the assistant's.",
        (
            "wire/test_assemble.py::test_context_and_configurable_mirror_each_other_key_by_key",
            "graph/test_transcripts.py::test_a_context_fills_its_schema_and_unknown_keys_are_dropped",
            "js/runs.test.mjs::context reaches the graph",
        ),
    ),
    Row(
        "runs.context.both",
        MERGES,
        "Context and configurable, both with content, are a 400.",
        (f"{W}test_a_bad_field_is_refused_by_name",),
    ),
    Row(
        "runs.context.unknown_keys",
        MERGES,
        "Keys that the graph's context class does not know are dropped before it.",
        (
            "graph/test_transcripts.py::test_a_context_fills_its_schema_and_unknown_keys_are_dropped",
            f"{SEEN}[context_config_metadata_merge]",
        ),
        divergence="Context is mirrored into configurable as it was given; only the graph's class drops unknown keys.",
    ),
    Row(
        "runs.create",
        CALLS,
        "Creates a run in the background, pending, with its `content-location`.",
        (
            "sdk/test_sdk.py::test_runs_are_created_listed_cancelled_and_deleted",
            "js/runs.test.mjs::a run from its creation to its deletion",
            f"{SEEN}[runs_create_get_list_join_delete]",
        ),
        THREADED[:1],
    ),
    Row(
        "runs.create.durable",
        CALLS,
        "A run that was acknowledged exists.",
        (
            "faults/test_crash.py::test_killed_right_after_the_answer_to_create",
            "faults/test_random_kills.py::test_every_acknowledged_run_survives_kills_at_random_instants",
        ),
        divergence="It is on disk before the answer, and ends once, whatever is killed; the in-memory server lost it.",
    ),
    Row(
        "runs.create.starts_at_once",
        CALLS,
        "A run waits its turn as pending.",
        (f"{LIVE}[multitask_interrupt]", f"{LIVE}[headers_misc]"),
        divergence="One that need not wait starts within milliseconds, seldom seen pending; the official server polls.",
    ),
    Row(
        "runs.delete",
        CALLS,
        "Deletes a run, a running one too: 204; an unknown one is a 404.",
        (
            f"{W}test_a_deleted_run_is_gone",
            "faults/test_cancel.py::test_deleting_a_running_run_rolls_it_back",
            "js/runs.test.mjs::deleting a run that runs stops it",
        ),
        ("DELETE /threads/{thread_id}/runs/{run_id}",),
    ),
    Row(
        "runs.durability",
        OTHER,
        "sync and async leave a checkpoint per step, exit one; `checkpoint_during` is the older word.",
        (
            f"{W}test_durability",
            "faults/test_interrupts.py::test_durability_decides_how_many_checkpoints_stay",
            "js/runs.test.mjs::checkpointDuring false is the older word for it",
        ),
        divergence="`checkpoint_during` of a run says what its durability came to.",
    ),
    Row(
        "runs.feedback_keys",
        OTHER,
        "`feedback_keys` are taken.",
        (f"{SEEN}[feedback_and_tracing_fields]",),
        divergence="They are kept with the run; no vendor is called at its end, as no call leaves the machine.",
    ),
    Row(
        "runs.get",
        CALLS,
        "Reads a run; an unknown run or thread is a 404.",
        (
            f"{W}test_what_is_not_there_is_a_404",
            f"{W}test_a_run_of_another_thread_is_not_there",
            "sdk/test_sdk.py::test_runs_are_created_listed_cancelled_and_deleted",
        ),
        ("GET /threads/{thread_id}/runs/{run_id}",),
    ),
    Row(
        "runs.idempotency",
        "DESIGN 3, Wire",
        "`Idempotency-Key`: the same key and body make one run, another body is a 409.",
        (
            f"{W}test_an_idempotency_key_makes_one_run",
            "faults/test_creation.py::test_one_key_makes_one_run_across_a_kill",
            "faults/test_creation.py::test_one_key_makes_one_batch",
        ),
        (*THREADED, *STATELESS),
        divergence="An addition: the official server has none.",
    ),
    Row(
        "runs.limits",
        "docs/limits.md",
        "`treadle-concurrency-key` and `treadle-priority` say whose slots a run takes and what it goes before.",
        (
            "limits/test_servers.py::test_runs_of_a_key_share_its_slots",
            "limits/test_servers.py::test_a_run_of_higher_priority_is_next",
            "limits/test_servers.py::test_a_header_that_says_nothing_usable_is_refused",
        ),
        (*THREADED, *STATELESS),
        divergence="An addition: the official server has none.",
    ),
    Row(
        "runs.max_pending",
        "docs/limits.md",
        "When too many runs wait, creating more is a 429 with `Retry-After`; a batch is taken whole or not at all.",
        (
            "limits/test_servers.py::test_more_than_may_wait_are_refused_and_told_when_to_come_back",
            "limits/test_servers.py::test_a_repeated_request_is_answered_however_many_wait",
        ),
        (*THREADED, *STATELESS),
        divergence="An addition, off unless `max_pending_runs` is set: a queue that only grows helps nobody.",
    ),
    Row(
        "runs.retention",
        "docs/limits.md",
        "Ended runs and their events are kept as long as the settings say; a thread keeps its state without them.",
        (
            "limits/test_servers.py::test_events_of_old_runs_go_and_readers_are_told",
            "limits/test_servers.py::test_old_runs_go_and_their_threads_stay",
        ),
        divergence="An addition, off unless it is set: the official server keeps runs until they are deleted.",
    ),
    Row(
        "runs.if_not_exists",
        OTHER,
        "`create` makes the thread under the given id with the run's metadata; else an unknown one is a 404.",
        (
            f"{W}test_if_not_exists_makes_the_thread",
            f"{W}test_a_run_needs_a_thread",
            "js/runs.test.mjs::ifNotExists makes the thread under the given id",
            f"{SEEN}[if_not_exists]",
        ),
    ),
    Row(
        "runs.input_null",
        OTHER,
        "A null input goes on where the thread stopped, or tries the failed step again.",
        (
            "js/runs.test.mjs::input null goes on where the thread stopped",
            f"{W}test_interrupts_before_and_after",
            "conformance/test_runs.py::test_a_null_input_tries_the_failed_step_again",
        ),
    ),
    Row(
        "runs.interrupt_before_after",
        FIELDS,
        "`interrupt_before` and `interrupt_after` take names or `*`; a bare name is a 422.",
        (
            f"{W}test_interrupts_before_and_after",
            f"{W}test_a_bad_field_is_refused_by_name",
            "faults/test_interrupts.py::test_interrupt_before_and_after",
        ),
    ),
    Row(
        "runs.langsmith_tracer",
        ERRORS,
        "`langsmith_tracer` is an object.",
        (f"{W}test_a_bad_field_is_refused_by_name", f"{SEEN}[feedback_and_tracing_fields]"),
        divergence="Anything else is a 422 (a 500 there); no tracer is called.",
        defect=True,
    ),
    Row(
        "runs.langsmith_tracer.session",
        RUN,
        "`langsmith_session_name` is the tracer's project.",
        (f"{W}test_a_tracer_names_the_session_of_a_run_and_calls_nobody", f"{SEEN}[feedback_and_tracing_fields]"),
        divergence="A run shows the session that its tracer names; the official server did not.",
    ),
    Row(
        "runs.list",
        CALLS,
        "Lists runs with limit (10), offset and status.",
        (
            f"{W}test_runs_are_listed_newest_first_and_filtered",
            "js/runs.test.mjs::runs are listed newest first, paged, by status",
        ),
        ("GET /threads/{thread_id}/runs",),
    ),
    Row(
        "runs.list.filters",
        CLIENT,
        "Lists by metadata and by time of creation.",
        (
            f"{W}test_runs_are_listed_newest_first_and_filtered",
            "client/test_calls.py::test_runs_are_listed_by_time_status_and_metadata",
        ),
        divergence="An addition: the official server filters by status only.",
    ),
    Row(
        "runs.list.order",
        CALLS,
        "Newest first.",
        (f"{W}test_runs_are_listed_newest_first_and_filtered", f"{LIVE}[after_seconds]"),
        divergence="By creation; the official server counts a delayed run as made when it is due.",
    ),
    Row(
        "runs.list.refusals",
        ERRORS,
        "A bad limit, offset or status.",
        (f"{W}test_a_filter_that_means_nothing_is_refused",),
        divergence="Each is a 422 that names it; the official server answers `[]`, or counts from the end.",
        defect=True,
    ),
    Row(
        "runs.list.select",
        ERRORS,
        "`select` picks columns; unknown ones are a 422.",
        (
            f"{W}test_columns_are_picked_however_the_list_is_spelt",
            f"{SEEN}[runs_list_select_json_array]",
            "js/runs.test.mjs::select picks columns",
        ),
        divergence="The JSON array of the JS SDK is understood; the official server refuses it.",
        defect=True,
    ),
    Row(
        "runs.retry",
        "issue 6, 1",
        "Asks again what a run that did not succeed was asked, from where it came to.",
        (
            "wire/test_retry.py::test_a_retry_goes_on_from_where_the_run_failed",
            "wire/test_retry.py::test_a_retry_asks_the_same_and_names_the_run_that_failed",
            "wire/test_retry.py::test_a_run_that_never_came_to_a_checkpoint_is_asked_all_of_it_again",
            "wire/test_retry.py::test_a_cancelled_run_goes_on",
            "wire/test_retry.py::test_an_answer_to_an_interrupt_that_failed_is_given_again",
            "wire/test_retry.py::test_what_cannot_be_retried_is_refused",
            "auth/test_rules.py::test_a_retry_is_put_to_the_rule_of_creating_and_is_made_for_who_asks",
        ),
        ("POST /threads/{thread_id}/runs/{run_id}/retry",),
        divergence="An addition.",
    ),
    Row(
        "runs.search",
        "issue 6, 1",
        "Finds and counts runs of all threads, newest first, by status, assistant, thread, metadata, tags and time.",
        (
            "http/test_run_search.py::test_a_search_shows_what_became_of_runs_on_every_thread",
            "http/test_run_search.py::test_runs_are_searched_and_counted_by_what_they_are",
            "http/test_run_search.py::test_an_ended_stateless_run_is_gone_for_searches_too",
            "backends/test_run_search.py::test_a_search_finds_what_a_look_at_every_run_finds",
            "auth/test_rules.py::test_runs_are_searched_by_what_the_rules_say_of_their_threads",
        ),
        ("POST /runs/search", "POST /runs/count"),
        divergence="An addition: the official server lists the runs of one thread.",
    ),
    Row(
        "runs.search.pages",
        "issue 6, 1",
        "A page goes on after the last run of the one before, whatever runs have come or gone.",
        (
            "http/test_run_search.py::test_a_page_goes_on_where_the_one_before_ended_whatever_came_meanwhile",
            "http/test_run_search.py::test_a_cursor_is_of_one_order",
        ),
        divergence="An addition: `x-pagination-next` is a cursor, to be sent as `after`.",
    ),
    Row(
        "runs.metadata",
        RUN,
        "A run's metadata joins the assistant's, the thread's and the request's, which wins.",
        (
            "wire/test_assemble.py::test_metadata_is_the_assistants_then_the_threads_then_the_requests",
            f"{SEEN}[context_config_metadata_merge]",
        ),
    ),
    Row(
        "runs.multitask.enqueue",
        MULTITASK,
        "enqueue (the default): first in, first out, one run at a time per thread.",
        (
            "faults/test_multitask.py::test_enqueue_is_first_in_first_out",
            "faults/test_multitask.py::test_one_run_at_a_time_however_many_ask",
            f"{LIVE}[multitask_enqueue]",
            f"{LIVE}[multitask_None]",
            "js/multitask.test.mjs::enqueue runs one after the other, in order",
        ),
    ),
    Row(
        "runs.multitask.enqueue_restart",
        "REGRESSIONS, Cancel and double texting",
        "The queue of a thread keeps its order.",
        ("faults/test_multitask.py::test_enqueue_is_first_in_first_out_across_a_restart",),
        divergence="Across a restart too.",
    ),
    Row(
        "runs.multitask.interrupt",
        MULTITASK,
        "interrupt: the old run ends as interrupted, its checkpoints stay, the new one goes on top.",
        (
            f"{W}test_a_run_may_supersede_on_every_route",
            "faults/test_multitask.py::test_interrupt_stops_what_is_there_and_goes_on_top",
            f"{LIVE}[multitask_interrupt]",
        ),
    ),
    Row(
        "runs.multitask.reject",
        ERRORS,
        "reject on a busy thread is a 409 on create, stream and wait; pending runs count.",
        (
            f"{W}test_on_a_busy_thread_reject_is_a_conflict_on_every_route",
            "faults/test_multitask.py::test_reject_counts_pending_runs",
            f"{LIVE}[multitask_reject]",
            "js/multitask.test.mjs::reject refuses with 409 in create, stream and wait",
        ),
    ),
    Row(
        "runs.multitask.rollback",
        MULTITASK,
        "rollback: the old run vanishes with its checkpoints, the new one starts from the earlier state.",
        (
            f"{W}test_a_run_may_supersede_on_every_route",
            "faults/test_multitask.py::test_rollback_removes_what_is_there",
            "js/multitask.test.mjs::rollback takes the first away and starts before it",
        ),
    ),
    Row(
        "runs.multitask.unknown",
        ERRORS,
        "An unknown strategy is a 422.",
        (f"{SEEN}[multitask_bogus]", "js/multitask.test.mjs::an unknown strategy is refused by name"),
    ),
    Row(
        "runs.on_completion",
        CALLS,
        "The thread of a stateless run goes with its end unless `on_completion` is keep.",
        (
            f"{W}test_a_temporary_thread_goes_unless_it_is_kept",
            "faults/test_creation.py::test_the_thread_of_a_stateless_run_is_gone_after_every_ending",
            "js/streams.test.mjs::onCompletion keep keeps the thread",
        ),
    ),
    Row(
        "runs.on_completion.crash",
        "REGRESSIONS, The API",
        "It goes after a crash as well.",
        (
            "faults/test_creation.py::test_the_thread_of_a_stateless_run_is_gone_after_crashes",
            "faults/test_creation.py::test_what_is_left_of_stateless_runs_is_swept",
        ),
        divergence="An addition.",
    ),
    Row(
        "runs.on_disconnect",
        "wire.md 5",
        "A run goes on when its client leaves, unless `on_disconnect` is cancel; then run and thread are interrupted.",
        (
            "faults/test_disconnect.py::test_on_disconnect_cancel",
            "faults/test_disconnect.py::test_on_disconnect_continue",
            f"{LIVE}[disconnect_on_disconnect_None]",
            f"{LIVE}[disconnect_on_disconnect_cancel]",
            f"{LIVE}[disconnect_on_disconnect_continue]",
            f"{LIVE}[disconnect_wait_None]",
        ),
    ),
    Row(
        "runs.on_disconnect.stateless",
        "wire.md 5",
        "The same holds without a thread.",
        (
            f"{LIVE}[disconnect_stateless_stream_None]",
            f"{LIVE}[disconnect_stateless_stream_cancel]",
            f"{LIVE}[disconnect_stateless_stream_continue]",
        ),
    ),
    Row(
        "runs.settings_of_assistant",
        MERGES,
        "The request's tags and limit replace the assistant's.",
        (
            "wire/test_assemble.py::test_tags_and_limits_of_the_request_replace_the_assistants",
            "js/runs.test.mjs::an assistant's own settings give way to the request's",
        ),
    ),
    Row(
        "runs.shape",
        RUN,
        "A run keeps what was asked: kwargs with their defaults filled in.",
        (f"{W}test_what_was_asked_is_kept_on_the_run", f"{SEEN}[runs_create_get_list_join_delete]"),
    ),
    Row(
        "runs.stateless",
        CALLS,
        "Runs without a thread get a fresh one.",
        (
            f"{SEEN}[runs_stateless_create]",
            "js/runs.test.mjs::a run without a thread makes one",
            "wire/test_transcripts.py::test_recorded_streams",
        ),
        STATELESS,
    ),
    Row(
        "runs.status_of_interrupted",
        RUN,
        "A run that stops at a question ends as success; its thread is interrupted.",
        (
            f"{W}test_an_interrupt_is_answered_and_strict_resume_wants_one",
            "sdk/test_sdk.py::test_an_interrupt_is_seen_and_answered",
        ),
    ),
    Row(
        "runs.stream",
        CALLS,
        "Creates a run and streams it.",
        ("sdk/test_sdk.py::test_every_mode_streams", "wire/test_transcripts.py::test_recorded_streams"),
        THREADED[1:2],
    ),
    Row(
        "runs.strict_resume",
        "sdk-contracts.md 2",
        "A strict resume that answers no question that waits fails the run, and leaves the thread as it was.",
        (
            f"{W}test_an_interrupt_is_answered_and_strict_resume_wants_one",
            "graph/test_stream.py::test_a_strict_resume_that_answers_nothing_waiting_fails_and_changes_nothing",
            "sdk/test_sdk.py::test_the_newest_fields_of_the_sdk_are_understood",
        ),
        divergence="The official in-memory server ignores it.",
    ),
    Row(
        "runs.timeout",
        RUN,
        "A run may end as timeout.",
        ("faults/test_creation.py::test_a_run_over_its_time_ends_as_timeout",),
        divergence="When it runs longer than `run_timeout_seconds`; never seen there.",
    ),
    Row(
        "runs.unknown_thread",
        ERRORS,
        "An unknown thread is a 404 `Thread or assistant not found`.",
        (f"{W}test_a_run_needs_a_thread",),
    ),
    Row(
        "runs.wait",
        BODIES,
        "Answers the final values, after white space that keeps the connection alive.",
        (
            "streams/test_readers.py::test_waiting_calls_are_kept_alive_with_white_space",
            "sdk/test_sdk.py::test_waiting_and_joining",
            "js/runs.test.mjs::gives the final state, on a thread and without",
            "wire/test_transcripts.py::test_recorded_streams",
        ),
        THREADED[2:],
    ),
    Row(
        "runs.wait.cut",
        "sdk-contracts.md 2",
        "A wait that is cut goes on at its `location`.",
        (
            "sdk/test_sdk.py::test_a_wait_that_is_cut_is_joined_where_the_server_says",
            "client/test_faults.py::test_a_cut_wait_goes_on_as_a_join",
        ),
    ),
    Row(
        "runs.wait.error",
        BODIES,
        "A failed run answers 200 with `__error__`.",
        (
            "sdk/test_sdk.py::test_a_failed_run_raises_where_it_is_waited_for_and_says_error_in_a_stream",
            f"{SEEN}[error_wait]",
            "js/runs.test.mjs::raises what the node raised",
        ),
    ),
    Row(
        "runs.wait.interrupt",
        BODIES,
        "An interrupted run answers its values and `__interrupt__`.",
        ("sdk/test_sdk.py::test_an_interrupt_is_seen_and_answered", "wire/test_transcripts.py::test_recorded_streams"),
    ),
)
