"""Streams: framing, modes, joining, cancelling, and the stream of a thread."""

from conformance.row import Row

STREAMED = "transcripts/test_runs.py::test_recorded_streams"
SEEN = "transcripts/test_runs.py::test_a_recorded_exchange"
LIVE = "transcripts/test_timing.py::test_a_recorded_exchange"
W = "http/routes/test_runs.py::"
R = "e2e/streams/test_readers.py::"
RESUME = "e2e/streams/test_resume.py::"
T = "e2e/threads/test_thread_stream.py::"
ON_RUN = "/threads/{thread_id}/runs/{run_id}"

ROWS = (
    Row(
        "streams.close_after_status",
        "The final status is committed before a stream closes, because the Python SDK then reads it.",
        (
            "e2e/sdk/test_sdk.py::test_every_mode_streams",
            "client/test_live.py::test_a_run_is_joined_after_each_of_its_events",
            "e2e/faults/test_crash.py::test_the_end_of_a_run_is_there_as_a_whole_or_not_at_all",
        ),
    ),
    Row(
        "streams.content_location",
        "`content-location` names the run; for stateless runs it is `/runs/{r}`, for waits the full path.",
        (f"{W}test_headers_of_streams_and_results", f"{LIVE}[headers_misc]", STREAMED),
    ),
    Row(
        "streams.error",
        "A failing node ends the stream with `error` {error, message}; the HTTP status stays 200.",
        (
            STREAMED,
            "e2e/sdk/test_sdk.py::test_a_failed_run_raises_where_it_is_waited_for_and_says_error_in_a_stream",
            "js/streams.test.mjs::a node that raises ends ${streamMode} with an error event",
        ),
    ),
    Row(
        "streams.external_cancel",
        "The streams of a cancelled or rolled back run close without an event.",
        (
            f"{R}test_a_cancelled_run_closes_its_streams_without_an_event",
            f"{LIVE}[stream_cancelled_externally_interrupt]",
            f"{LIVE}[stream_cancelled_externally_rollback]",
        ),
    ),
    Row(
        "streams.first_event",
        "The first event is `metadata` {run_id, attempt}.",
        (STREAMED, "js/streams.test.mjs::metadata comes first, with the run and its attempt"),
    ),
    Row(
        "streams.frames",
        "Frames are event, data, id with CRLF; data is compact JSON on one line, with non-ASCII unescaped.",
        ("http/test_view.py::test_the_frame_is_event_data_id_with_crlf", f"{LIVE}[headers_misc]"),
    ),
    Row(
        "streams.headers",
        "Streams are text/event-stream, with headers against caching and buffering.",
        (
            f"{W}test_headers_of_streams_and_results",
            "js/streams.test.mjs::the headers keep proxies from buffering and tell browsers where to go on",
        ),
    ),
    Row(
        "streams.heartbeat",
        "A comment is sent every few seconds, with or without events.",
        (f"{R}test_heartbeats_are_steady_with_events_and_without",),
    ),
    Row(
        "streams.ids",
        "Events of resumable runs have increasing ids `<ms>-<seq>`.",
        (
            f"{R}test_ids_are_the_time_and_a_dense_number",
            "js/streams.test.mjs::every event has an id, dense and rising",
            f"{SEEN}[resumable_join_replay]",
        ),
        divergence="Every event of every run has an id, numbered from 1 without gaps, so every stream can be resumed.",
    ),
    Row(
        "streams.location",
        "`location` is the address to reconnect to: the run's stream, or its join.",
        (
            f"{W}test_headers_of_streams_and_results",
            "e2e/faults/test_drain.py::test_the_official_sdk_goes_on_at_the_location",
            "e2e/sdk/test_sdk.py::test_a_cut_connection_is_resumed_without_loss_or_repeat",
        ),
    ),
    Row(
        "streams.no_end",
        "There is no `end` event: the stream closes.",
        (f"{R}test_our_client_gets_the_end_and_the_tags_and_others_do_not",),
        divergence="Clients that send `treadle-events: 1`, as treadle's own does, get one.",
    ),
    Row(
        "streams.reconnect",
        "After a disconnect, the SDKs resume at `location` with `Last-Event-ID`, without loss or repeat.",
        (
            "e2e/sdk/test_sdk.py::test_a_cut_connection_is_resumed_without_loss_or_repeat",
            "js/reconnecting.test.mjs::stream goes on after the last event, without loss or repeat",
            "client/test_live.py::test_cuts_anywhere_lose_and_repeat_nothing",
        ),
    ),
    Row(
        "streams.slow_reader",
        "Execution does not wait for readers.",
        (f"{R}test_a_reader_that_stops_reading_slows_nobody_and_still_gets_everything",),
    ),
    Row(
        "modes.checkpoints",
        "checkpoints: `{config, parent_config, values, metadata, next, tasks}`.",
        (STREAMED, "js/streams.test.mjs::checkpoints carry the state and what is next"),
    ),
    Row(
        "modes.combined",
        "Modes can be combined; duplicates are merged; an empty list means values.",
        (STREAMED, "service/test_assemble.py::test_stream_modes_fold", "js/streams.test.mjs::all modes at once"),
    ),
    Row(
        "modes.custom",
        "custom: the data that nodes write.",
        (STREAMED, "js/streams.test.mjs::custom is what nodes write"),
    ),
    Row(
        "modes.debug",
        "debug: `{step, timestamp, type, payload}`; a checkpoint's payload names its parent.",
        (
            STREAMED,
            "graph/test_translate.py::test_a_debug_checkpoint_names_its_checkpoints",
            "js/streams.test.mjs::debug tells of checkpoints, tasks and their results",
        ),
    ),
    Row(
        "modes.events",
        "events: astream_events v2 without the root graph's own stream, never with a namespace.",
        (
            STREAMED,
            "graph/test_translate.py::test_events_never_carry_a_namespace",
            "js/streams.test.mjs::events are those of the graph and of its nodes",
        ),
    ),
    Row(
        "modes.interrupt",
        "An interrupt is `__interrupt__` in updates, then in values; custom does not show it.",
        (STREAMED, "graph/test_translate.py::test_interrupts_and_cached_results_keep_their_shapes"),
    ),
    Row(
        "modes.messages",
        "messages: metadata once per message, then accumulating partials, or one complete message.",
        (
            STREAMED,
            "graph/test_translate.py::test_message_chunks_accumulate_and_are_announced_once",
            "js/streams.test.mjs::messages accumulate, and their metadata comes once",
        ),
    ),
    Row(
        "modes.messages_tuple",
        "messages-tuple: `messages` with `[chunk, metadata]`; combined with messages, only this form is sent.",
        (
            STREAMED,
            "graph/test_translate.py::test_the_tuple_form_is_namespaced_and_wins_over_the_other",
            "js/streams.test.mjs::messages beside messages-tuple come in the second form only",
        ),
    ),
    Row(
        "modes.metadata",
        "metadata is a mode.",
        (f"{SEEN}[stream_mode_metadata_chain]",),
        divergence="It can be requested on its own; the official server refuses it.",
    ),
    Row(
        "modes.subgraphs",
        "`stream_subgraphs` appends `|path` to the names of subgraph events; without it they are omitted.",
        (
            STREAMED,
            "e2e/sdk/test_sdk.py::test_sub_graphs_have_their_names_and_v2_parts_their_namespaces",
            "js/streams.test.mjs::name their events by their path",
        ),
    ),
    Row(
        "modes.tasks",
        "tasks: start and end of each task; an error is `{error, message}`.",
        (
            STREAMED,
            "graph/test_translate.py::test_an_error_of_a_task_is_its_class_and_text",
            "js/streams.test.mjs::tasks start and end",
        ),
    ),
    Row(
        "modes.unknown",
        "Unknown modes, tools and lifecycle get 422.",
        (
            f"{W}test_a_bad_field_is_refused_by_name",
            f"{SEEN}[stream_mode_tools_tools]",
            f"{SEEN}[stream_mode_lifecycle_nested]",
        ),
    ),
    Row(
        "modes.updates",
        "updates: `{node: update}`, with `__metadata__` for a replayed task.",
        (STREAMED, "js/streams.test.mjs::updates is what each node wrote"),
    ),
    Row(
        "modes.values",
        "values: the state after the input and after each step; the default mode.",
        (STREAMED, "js/streams.test.mjs::values is what comes when no mode is asked for"),
    ),
    Row(
        "joining.cancel_on_disconnect",
        "`cancel_on_disconnect` (1, true) cancels the run when the reader disconnects; 0 and false do not.",
        (
            *(f"{LIVE}[join_cancel_on_disconnect_{flag}]" for flag in ("0", "1", "false", "true")),
            "e2e/faults/test_disconnect.py::test_cancel_on_disconnect_of_a_joiner",
        ),
    ),
    Row(
        "joining.error",
        "Joining a failed run after its end.",
        (
            f"{R}test_the_replay_of_a_failed_run_has_its_error",
            f"{SEEN}[error_background_resumable]",
            "js/joining.test.mjs::the replay of a failed run holds its error",
        ),
        divergence="The replay includes the `error` event; on the official server it is missing.",
        defect=True,
    ),
    Row(
        "joining.gap",
        "Resuming from an event that retention deleted.",
        (
            f"{RESUME}test_an_id_older_than_what_is_kept_gives_a_gap_and_then_what_there_is",
            f"{RESUME}test_a_log_of_which_nothing_is_kept_says_so",
        ),
        divergence="A `gap` event reports it; the official server sends nothing.",
    ),
    Row(
        "joining.interrupted",
        "Joining a run that ended because its graph needs input.",
        (
            f"{R}test_joining_a_finished_interrupted_run_gives_its_state_and_the_interrupt",
            "js/joining.test.mjs::interrupted by the graph: state and interrupt",
        ),
        divergence="The answer has the state and the interrupt; the official server omits the state.",
        defect=True,
    ),
    Row(
        "joining.last_event_id",
        "`-1` and `0` replay everything; an id resumes strictly after it; invalid and future ids replay nothing.",
        (
            f"{RESUME}test_resuming_at_each_of_2000_ids_gives_the_exact_suffix",
            f"{RESUME}test_an_id_that_is_none_of_ours_gives_nothing_old",
            f"{SEEN}[resumable_join_replay]",
            "js/joining.test.mjs::after each id comes the exact rest",
        ),
        divergence="The rest is exact at every id, also after a restart; ids of the official in-memory server repeat.",
    ),
    Row(
        "joining.not_resumable",
        "A run without `stream_resumable` shows only events sent after joining.",
        (
            f"{RESUME}test_a_run_can_be_replayed_whether_or_not_it_was_asked_to_be_resumable",
            f"{LIVE}[join_stream_live_nonresumable]",
        ),
        divergence="It is stored and replayed like any other run.",
    ),
    Row(
        "joining.result",
        "join waits for the end and answers like wait.",
        ("e2e/sdk/test_sdk.py::test_waiting_and_joining", "js/joining.test.mjs::join waits for the result"),
        (f"GET {ON_RUN}/join",),
    ),
    Row(
        "joining.stateless",
        "Streams of stateless runs announce `/runs/{r}/stream`.",
        (
            f"{R}test_the_stream_of_a_stateless_run_can_be_joined_where_it_says",
            "e2e/faults/test_creation.py::test_a_stateless_run_can_be_rejoined_at_the_location_it_announces",
            "js/joining.test.mjs::a run without a thread can be read by its id alone",
            f"{SEEN}[runs_stateless_stream]",
        ),
        ("GET /runs/{run_id}/join", "GET /runs/{run_id}/stream"),
        "This address and `/runs/{r}/join` work; the official server answers 404.",
        True,
    ),
    Row(
        "joining.stream",
        "A run can be joined live and after its end.",
        (
            f"{R}test_a_reader_may_come_before_in_the_middle_and_after",
            "client/test_live.py::test_a_run_is_joined_after_each_of_its_events",
            f"{SEEN}[join_stream_default_modes]",
        ),
        (f"GET {ON_RUN}/stream",),
    ),
    Row(
        "joining.stream_mode",
        "`stream_mode` filters by event name and drops metadata unless it is listed.",
        (
            f"{RESUME}test_a_filter_on_stream_mode_resumes_after_the_same_ids",
            "js/joining.test.mjs::a list of modes picks events, metadata only if named",
            f"{LIVE}[stream_modes_join_query_variants]",
        ),
    ),
    Row(
        "joining.stream_mode.lists",
        "Several modes can be selected.",
        (f"{LIVE}[stream_modes_join_query_variants]", "e2e/sdk/test_sdk.py::test_waiting_and_joining"),
        divergence="Repeated parameters (the Python SDK's lists) all count; the official server uses only the last.",
        defect=True,
    ),
    Row(
        "joining.stream_mode.unknown",
        "An unknown mode in the filter.",
        (f"{RESUME}test_an_unknown_mode_in_the_filter_is_refused_by_name",),
        divergence="It gets 422; the official server sends an empty stream.",
    ),
    Row(
        "joining.unknown_run",
        "Joining an unknown run.",
        (
            f"{W}test_what_is_not_there_is_a_404",
            f"{SEEN}[join_errors]",
            "js/joining.test.mjs::an unknown run is not found",
        ),
        divergence="It gets 404; the official server answers 200 with an error in the body.",
    ),
    Row(
        "joining.without_an_id",
        "Without `Last-Event-ID`, a reader gets only new events.",
        ("js/joining.test.mjs::without an id comes everything", f"{LIVE}[join_stream_live_nonresumable]"),
        divergence="It reads from the start: runs start at once, so a reader would otherwise miss the first events.",
    ),
    Row(
        "cancelling.interrupt",
        "The run ends as interrupted, its checkpoints stay, and `next` is the unfinished node.",
        (
            f"{LIVE}[cancel_running_wait0_interrupt]",
            f"{LIVE}[cancel_running_wait1_interrupt]",
            "e2e/faults/test_cancel.py::test_interrupt_keeps_what_was_checkpointed_and_can_go_on",
        ),
        (f"POST {ON_RUN}/cancel",),
    ),
    Row(
        "cancelling.interrupt.thread",
        "The thread is interrupted, and its error names the cause.",
        (f"{LIVE}[cancel_running_wait1_interrupt]", f"{W}test_cancelling"),
        divergence="The text names the run; the official server's text has unfilled path parameters.",
    ),
    Row(
        "cancelling.many",
        "Cancels runs of a thread by id, or all runs in a status: 204; if there is nothing to cancel, 404.",
        (
            f"{W}test_cancelling_many",
            f"{LIVE}[cancel_many]",
            "e2e/faults/test_cancel.py::test_cancel_many",
            "js/cancelling.test.mjs::by ids",
        ),
        ("POST /runs/cancel",),
    ),
    Row(
        "cancelling.many.refusals",
        "The body has either ids or a status.",
        (f"{W}test_cancelling_many", f"{LIVE}[cancel_many]"),
        divergence="An empty list of ids gets 422 too.",
    ),
    Row(
        "cancelling.over",
        "A finished or unknown run gets 404.",
        (
            "e2e/faults/test_cancel.py::test_a_finished_run_cannot_be_cancelled",
            "e2e/faults/test_cancel.py::test_an_unknown_run_or_thread",
            f"{SEEN}[cancel_errors]",
        ),
    ),
    Row(
        "cancelling.parameters",
        "`action` and `wait` accept only the documented values.",
        (f"{W}test_what_is_not_there_is_a_404", f"{SEEN}[cancel_errors]"),
        divergence="Others get 422; the official server does not validate them.",
    ),
    Row(
        "cancelling.pending",
        "Cancelling a pending run does not affect the running one.",
        (
            f"{LIVE}[cancel_pending_enqueued]",
            "e2e/faults/test_cancel.py::test_a_pending_run",
            "js/cancelling.test.mjs::of a run that waits its turn leaves the running one alone",
        ),
    ),
    Row(
        "cancelling.rollback",
        "The run and its checkpoints are deleted.",
        (
            "js/cancelling.test.mjs::rollback, wait ${wait}: the run and what it did are gone, the thread is free",
            f"{LIVE}[cancel_running_wait0_rollback]",
            "e2e/faults/test_cancel.py::test_a_queued_run_starts_only_after_the_clean_up",
        ),
    ),
    Row(
        "cancelling.rollback.thread_is_free",
        "The thread is idle afterwards.",
        (
            f"{LIVE}[cancel_running_wait0_rollback]",
            f"{LIVE}[lookup_thread_stuck_after_rollback]",
            "e2e/faults/test_cancel.py::test_a_running_run",
        ),
        divergence="Also with wait=0; on the official server the thread stays busy.",
        defect=True,
    ),
    Row(
        "cancelling.rollback.waiter",
        "An open wait ends.",
        (f"{LIVE}[wait_rolledback_externally]", "e2e/faults/test_cancel.py::test_readers_of_a_rolled_back_run_end"),
        divergence="It answers that the run is deleted; the official server answers the values that were rolled back.",
    ),
    Row(
        "cancelling.stubborn",
        "A cancel is bounded in time.",
        (
            "e2e/faults/test_cancel.py::test_code_that_swallows_the_cancellation_is_cut_off",
            "e2e/faults/test_cancel.py::test_a_node_that_blocks_the_loop_is_cut_off",
        ),
        divergence="Code that ignores the cancellation is cut off after `cancel_seconds`.",
    ),
    Row(
        "cancelling.taken",
        "The JS SDK gives a reason with a cancel.",
        (f"{W}test_a_cancelled_run_says_that_its_input_was_taken_up_by_another",),
        divergence="It is accepted.",
    ),
    Row(
        "cancelling.wait",
        "wait=0 answers 202 at once, wait=1 answers 200 `{}` when the run is over.",
        (
            f"{W}test_cancelling",
            f"{LIVE}[cancel_running_wait1_interrupt]",
            "js/cancelling.test.mjs::with wait: the run is interrupted, what it did is kept",
        ),
    ),
    Row(
        "thread_stream.events",
        "All runs of a thread in one endless stream, with ids; a run's end is `metadata` {status: run_done}.",
        (
            f"{LIVE}[thread_stream]",
            f"{T}test_replays_that_were_recorded",
            f"{T}test_the_official_sdk_follows_a_thread_over_a_socket_and_comes_back_with_its_modes",
        ),
        ("GET /threads/{thread_id}/stream",),
    ),
    Row(
        "thread_stream.last_event_id",
        "`0`, `0-0` and `-` replay everything; `-1` and `$` get 422; an id resumes after it.",
        (
            f"{LIVE}[thread_stream_modes_param]",
            f"{T}test_every_id_gives_the_exact_suffix_over_many_runs",
            f"{T}test_ids_that_say_nothing_are_refused",
        ),
    ),
    Row(
        "thread_stream.modes",
        "Modes are run_modes, lifecycle and state_update; unknown ones get 422.",
        (
            f"{LIVE}[thread_stream_modes_param]",
            f"{T}test_a_state_update_says_what_was_written_and_where",
            f"{T}test_modes_may_be_joined_and_spelled_in_every_way",
        ),
    ),
    Row(
        "thread_stream.names",
        "The Python SDK sends `stream_mode`, the server reads `stream_modes`.",
        (f"{T}test_modes_may_be_joined_and_spelled_in_every_way", f"{LIVE}[thread_stream]"),
        divergence="Both work; the official server ignores the first.",
        defect=True,
    ),
    Row(
        "thread_stream.unknown_thread",
        "The stream of an unknown thread opens and stays silent.",
        (f"{T}test_an_unknown_thread_opens_and_stays_silent_until_there_is_one",),
    ),
)
