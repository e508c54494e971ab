"""Bugs that others had, and the tests that say that they are not ours; ``test_regressions`` keeps the table whole."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    """``tests`` are ``file::function`` below tests/. ``everywhere``: what a database could get wrong, shown on each."""

    what: str
    tests: tuple[str, ...]
    everywhere: bool = True


def _in(file: str, *functions: str) -> tuple[str, ...]:
    return tuple(f"{file}::test_{function}" for function in functions)


CRASH, DRAIN, PAUSED = "e2e/faults/test_crash.py", "e2e/faults/test_drain.py", "e2e/faults/test_paused.py"
CANCEL, MULTITASK, CREATION = "e2e/faults/test_cancel.py", "e2e/faults/test_multitask.py", "e2e/faults/test_creation.py"
RESUME, READERS, WIRE = "e2e/streams/test_resume.py", "e2e/streams/test_readers.py", "http/routes/test_runs.py"
PROCESSES, RACES = "e2e/cluster/test_processes.py", "e2e/cluster/test_races.py"

CRASHES = (
    Bug("SIGKILL right after the 200 of a create", _in(CRASH, "killed_right_after_the_answer_to_create")),
    Bug("SIGKILL right after the last event", _in(CRASH, "killed_right_after_the_last_event")),
    Bug(
        "SIGKILL after the claim, before the first checkpoint",
        _in(CRASH, "killed_after_the_claim_before_the_first_checkpoint"),
    ),
    Bug(
        "SIGKILL between the terminal write and the terminal event",
        _in(CRASH, "the_end_of_a_run_is_there_as_a_whole_or_not_at_all"),
    ),
    Bug("SIGKILL between requeue and wake-up", _in(CRASH, "killed_between_requeue_and_wake_up")),
    Bug(
        "finished runs and their threads lost in a kill right after success",
        (
            *_in(CRASH, "killed_right_after_the_last_event"),
            *_in("e2e/faults/test_random_kills.py", "every_acknowledged_run_survives_kills_at_random_instants"),
        ),
    ),
    Bug(
        "retries run out: error, a thread at rest, a terminal event and a webhook, in one transaction",
        (
            *_in(CRASH, "attempts_run_out", "the_thread_of_a_run_out_of_attempts_rests_in_error"),
            *_in("webhooks/test_crash.py", "a_run_whose_every_attempt_lost_its_process"),
        ),
    ),
    Bug(
        "SIGTERM hands back a run longer than the drain window; three in a row use up no attempts",
        _in(DRAIN, "a_run_longer_than_the_drain_window_is_handed_back", "three_sigterms_in_a_row_use_up_no_attempts"),
    ),
    Bug(
        "a drain hands over to another process",
        _in(PROCESSES, "a_worker_that_drains_hands_its_run_to_another_and_its_stream_goes_on"),
    ),
    Bug(
        "a node that blocks is not taken over while its process lives",
        _in(PAUSED, "a_node_that_blocks_for_longer_than_the_lease_is_not_taken_over"),
    ),
    Bug(
        "a process that was stopped for longer than its lease writes nothing afterwards",
        (
            *_in(PAUSED, "a_stopped_process_that_wakes_up_writes_nothing"),
            *_in("backends/checkpoints/test_saver.py", "an_attempt_that_lost_its_run_writes_nothing"),
            *_in("e2e/test_lifecycle.py", "the_life_of_runs_is_as_the_model_says"),
        ),
    ),
    Bug(
        "a resumed attempt applies the input again, or has another run id in its metadata",
        (
            *_in(CRASH, "killed_in_mid_run", "a_command_that_is_killed_is_applied_once"),
            *_in("backends/checkpoints/test_graphs.py", "a_crashed_attempt_goes_on_from_its_last_checkpoint"),
        ),
    ),
)

CANCELS = (
    Bug("cancel of a pending run", _in(CANCEL, "a_pending_run", "the_only_pending_run_leaves_the_thread_at_rest")),
    Bug("cancel of a running run, with wait and without, in sub-graphs too", _in(CANCEL, "a_running_run")),
    Bug("cancel of a run in another process", _in(PROCESSES, "a_cancel_reaches_the_process_that_executes")),
    Bug("cancel of a run whose worker is not told of it", _in("e2e/faults/test_hints.py", "a_cancel_without_a_hint")),
    Bug("cancel of a finished run", _in(CANCEL, "a_finished_run_cannot_be_cancelled")),
    Bug(
        "cancel of a run that is being cancelled or rolled back, twice, many at once",
        _in(
            CANCEL,
            "a_run_that_is_being_cancelled_can_be_cancelled_again",
            "a_rollback_outranks_an_interrupt_and_not_the_other_way_round",
            "many_cancels_at_once",
        ),
    ),
    Bug("code that swallows the cancellation", _in(CANCEL, "code_that_swallows_the_cancellation_is_cut_off")),
    Bug(
        "a rollback leaves the thread busy, or another state than before the run",
        _in(CANCEL, "a_running_run", "a_rollback_of_a_resume_brings_the_question_back"),
    ),
    Bug(
        "a queued run starts before the clean-up of a rollback, or loses its own state to it",
        _in(CANCEL, "a_queued_run_starts_only_after_the_clean_up"),
    ),
    Bug(
        "enqueue is not first in, first out, or not after a restart",
        (
            *_in(MULTITASK, "enqueue_is_first_in_first_out", "enqueue_is_first_in_first_out_across_a_restart"),
            *_in(RACES, "queued_runs_start_in_the_order_of_their_creation"),
        ),
    ),
    Bug(
        "two runs of a thread at a time",
        (
            *_in(MULTITASK, "one_run_at_a_time_however_many_ask"),
            *_in(RACES, "two_workers_never_execute_two_runs_of_a_thread_nor_one_run_twice"),
        ),
    ),
    Bug(
        "multitask_strategy counts on some creating routes only",
        _in(WIRE, "on_a_busy_thread_reject_is_a_conflict_on_every_route", "a_run_may_supersede_on_every_route"),
    ),
    Bug(
        "interrupt with a tool call in flight leaves a history that a chat model refuses",
        _in(CANCEL, "interrupt_with_a_tool_call_in_flight", "new_input_after_a_tool_call_that_was_interrupted"),
    ),
)

STREAMS = (
    Bug(
        "resuming at some ids gives too much or too little",
        _in(RESUME, "resuming_at_each_of_2000_ids_gives_the_exact_suffix"),
    ),
    Bug(
        "an unknown, empty or non-numeric id; -1 and 0",
        _in(
            RESUME,
            "an_id_that_is_none_of_ours_gives_nothing_old",
            "without_an_id_everything_comes_so_that_a_quick_run_can_be_created_and_then_joined",
        ),
    ),
    Bug(
        "a pruned id",
        _in(
            RESUME,
            "an_id_older_than_what_is_kept_gives_a_gap_and_then_what_there_is",
            "a_log_of_which_nothing_is_kept_says_so",
        ),
    ),
    Bug(
        "resuming with another stream_mode, and with modes of sub-graphs",
        _in(
            RESUME,
            "a_filter_on_stream_mode_resumes_after_the_same_ids",
            "namespaced_events_resume_and_filter_by_mode_and_by_name",
        ),
    ),
    Bug("two and a hundred readers of one run", _in(READERS, "readers_of_one_run_get_identical_bytes")),
    Bug("readers in two processes", _in(PROCESSES, "events_come_in_order_and_before_the_run_is_over")),
    Bug("a slow reader", _in(READERS, "a_reader_that_stops_reading_slows_nobody_and_still_gets_everything")),
    Bug(
        "a reader before the start, after the end, across a restart",
        _in(
            READERS,
            "a_reader_may_come_before_in_the_middle_and_after",
            "a_reader_goes_on_after_a_restart_of_the_server",
        ),
    ),
    Bug("the replay of a failed run lacks its error", _in(READERS, "the_replay_of_a_failed_run_has_its_error")),
    Bug(
        "joining a finished interrupted run gives its state or the interrupt, not both",
        _in(READERS, "joining_a_finished_interrupted_run_gives_its_state_and_the_interrupt"),
    ),
    Bug("control frames carry ids", _in(READERS, "heartbeats_are_steady_with_events_and_without")),
    Bug(
        "failing to store events cancels the run",
        _in("e2e/faults/test_disk.py", "a_run_goes_on_when_the_disk_takes_writes_again"),
        everywhere=False,
    ),
    Bug(
        "a client that leaves cancels what it should not, or does not cancel what it should",
        (
            *_in("e2e/faults/test_disconnect.py", "on_disconnect_cancel", "on_disconnect_continue"),
            *_in("e2e/faults/test_disconnect.py", "a_client_that_leaves_a_finished_run_cancels_nothing"),
        ),
    ),
    Bug("a draining server counts as a client that left", _in(DRAIN, "a_draining_server_is_no_client_that_left")),
    Bug(
        "wait, join and stream of a failed run",
        (
            *_in(CREATION, "a_failed_run"),
            *_in("e2e/sdk/test_sdk.py", "a_failed_run_raises_where_it_is_waited_for_and_says_error_in_a_stream"),
        ),
    ),
    Bug(
        "lists in query parameters, in each of their spellings",
        (
            *_in("http/test_parse.py", "a_list_is_understood_in_three_spellings"),
            *_in(WIRE, "columns_are_picked_however_the_list_is_spelt"),
            *_in("e2e/threads/test_thread_stream.py", "modes_may_be_joined_and_spelled_in_every_way"),
        ),
        everywhere=False,
    ),
    Bug(
        "stateless runs cannot be rejoined at the location they announce",
        (
            *_in(CREATION, "a_stateless_run_can_be_rejoined_at_the_location_it_announces"),
            *_in(READERS, "the_stream_of_a_stateless_run_can_be_joined_where_it_says"),
        ),
    ),
    Bug(
        "browsers cannot read location, or reach a server on a private network",
        _in(
            "http/test_app.py",
            "a_browser_may_read_answers_and_the_headers_that_sdks_need",
            "a_preflight_is_answered_for_private_networks_too",
        ),
        everywhere=False,
    ),
    Bug(
        "proxies buffer streams, heartbeats are irregular",
        (*_in(WIRE, "headers_of_streams_and_results"), *_in(READERS, "heartbeats_are_steady_with_events_and_without")),
    ),
)

API = (
    Bug(
        "odd bodies get a 500",
        (
            *_in(WIRE, "no_body_however_odd_gets_a_500", "commands"),
            *_in("http/test_fuzz.py", "no_request_gets_a_500"),
            *_in("conformance/test_runs.py", "an_unknown_checkpoint_starts_empty"),
        ),
    ),
    Bug("search by values", _in("http/routes/test_threads.py", "search_by_values_and_extracts_of_them")),
    Bug("search without a prefix", _in("http/routes/test_store.py", "filters_limits_and_pages")),
    Bug("a cron without a schedule", _in("http/routes/test_crons.py", "what_is_refused")),
    Bug(
        "one idempotency key makes two runs",
        (
            *_in(CREATION, "one_key_makes_one_run", "one_key_makes_one_run_across_a_kill"),
            *_in(RACES, "one_idempotency_key_makes_one_run_however_many_ask_at_once"),
        ),
    ),
    Bug(
        "totals of pages, and the context of an assistant's latest version",
        (
            *_in("http/routes/test_threads.py", "search_filters_sorts_selects_extracts_and_counts"),
            *_in("http/routes/test_assistants.py", "versions_and_setting_the_latest_bring_back_the_context_too"),
        ),
    ),
    Bug("a large body is read before it is refused", _in(CREATION, "a_body_over_the_limit_is_refused_quickly")),
    Bug(
        "threads of stateless runs stay, or go when they should be kept",
        _in(
            CREATION,
            "the_thread_of_a_stateless_run_is_gone_after_every_ending",
            "the_thread_of_a_stateless_run_is_gone_after_crashes",
            "on_completion_keep",
        ),
    ),
    Bug(
        "webhooks are lost, doubled, unsigned or out of order",
        (
            *_in("webhooks/test_retries.py", "a_receiver_that_answers_500_is_asked_again"),
            *_in("webhooks/test_retries.py", "a_receiver_that_is_down_gets_its_webhook_once_it_is_up"),
            *_in("webhooks/test_retries.py", "a_receiver_that_hangs_keeps_nobody_waiting"),
            *_in("webhooks/test_retries.py", "the_webhooks_of_a_thread_come_in_the_order_of_the_endings"),
            *_in("webhooks/test_retries.py", "signatures_verify_with_the_library"),
            *_in(RACES, "a_webhook_of_two_couriers_is_delivered_once"),
        ),
    ),
    Bug(
        "webhooks reach addresses inside, by redirects and by DNS too",
        (
            *_in("webhooks/test_targets.py", "refused", "a_name_that_leads_inside_is_not_connected_to"),
            *_in("webhooks/test_retries.py", "a_redirect_is_not_followed"),
        ),
        everywhere=False,
    ),
    Bug("somebody else's resources are found", _in("auth/test_matrix.py", "a_route_lets_in_its_owner_alone")),
)

RESOURCES = (
    Bug(
        "readers that leave stay in memory",
        _in("e2e/threads/test_thread_stream.py", "readers_that_leave_leave_nothing_behind"),
    ),
    Bug("what is over stays in the tables", _in(CREATION, "what_is_left_of_stateless_runs_is_swept")),
    Bug(
        "the server needs the network",
        _in("test_architecture.py", "nothing_names_an_address_off_this_machine"),
        everywhere=False,
    ),
)

BUGS = (*CRASHES, *CANCELS, *STREAMS, *API, *RESOURCES)

ELSEWHERE = {
    "memory, tasks, descriptors and rows after thousands of runs": "make soak",
    "lists at 100,000 threads and 1,000,000 runs": "make bench",
    "PostgreSQL restarted, Redis killed, connections cut, under a load": "make chaos",
}
"""What takes too long for a test, and the command that shows it."""
