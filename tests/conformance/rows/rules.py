"""What holds on every endpoint (wire.md, 1), and errors as the SDKs read them (sdk-contracts.md, 2)."""

from conformance.row import Row

WIRE = "wire.md 1"
SDK = "sdk-contracts.md 2"

ROWS = (
    Row(
        "rules.bodies",
        WIRE,
        "Bodies are JSON whatever their content type says; unknown fields are ignored.",
        ("http/test_parse.py::test_a_body_becomes_a_model_object_and_unknown_fields_are_ignored",),
    ),
    Row(
        "rules.body_limit",
        WIRE,
        "A large body is answered quickly.",
        (
            "http/test_system.py::test_a_client_that_sends_too_much_reads_the_413",
            "wire/test_runs.py::test_a_body_over_the_limit_is_refused_before_it_is_read",
            "faults/test_creation.py::test_a_body_over_the_limit_is_refused_quickly",
        ),
        divergence="Over `max_body_bytes` it is a 413 before the body is read; the official server has no limit.",
        defect=True,
    ),
    Row(
        "rules.cors",
        WIRE,
        "Browsers of any origin may read answers, and the headers that the SDKs need.",
        (
            "http/test_app.py::test_a_browser_may_read_answers_and_the_headers_that_sdks_need",
            "wire/test_runs.py::test_a_browser_of_any_origin_sees_what_it_needs",
            "js/streams.test.mjs::the headers keep proxies from buffering and tell browsers where to go on",
        ),
        divergence="`location` is exposed too, so that the JS SDK can reconnect in a browser.",
        defect=True,
    ),
    Row(
        "rules.cors_private_network",
        "REGRESSIONS, Streams",
        "A preflight is answered.",
        ("http/test_app.py::test_a_preflight_is_answered_for_private_networks_too",),
        divergence="One for a private network too, so that a page on the public web can talk to a local server.",
    ),
    Row(
        "rules.deep_json",
        WIRE,
        "JSON nested too deeply is a 400.",
        (
            "http/test_parse.py::test_json_nested_too_deeply_is_a_bad_request",
            "conformance/test_transcripts.py::test_a_recorded_exchange[errors_oversize]",
        ),
    ),
    Row(
        "rules.error_body",
        WIRE,
        "An error is `{detail}`, in every status, on every route.",
        (
            "http/test_app.py::test_every_api_error_answers_with_its_status_and_body",
            "conformance/test_openapi.py::test_a_route_does_what_the_document_says",
        ),
        divergence="`code` and data (the `field`) stand beside `detail`; texts of validation errors are our own.",
    ),
    Row(
        "rules.error_classes",
        SDK,
        "400, 401, 403, 404, 409, 422, 429 and 5xx become the SDKs' own exceptions, with the text of `detail`.",
        (
            "sdk/test_sdk.py::test_errors_have_their_types",
            "http/test_sdk_threads.py::test_errors_are_the_sdks_own_classes",
            "js/errors.test.mjs::a server that is not there",
        ),
    ),
    Row(
        "rules.field_named",
        WIRE,
        "A field of the wrong type or value is a 422.",
        (
            "wire/test_runs.py::test_a_bad_field_is_refused_by_name",
            "http/test_parse.py::test_a_bad_field_is_named_with_what_is_allowed",
        ),
        divergence="The text names the field and what is allowed there.",
    ),
    Row(
        "rules.invalid_json",
        WIRE,
        "Bad or empty JSON is a 422 `Invalid JSON in request body`.",
        (
            "http/test_parse.py::test_what_is_not_json_is_unprocessable",
            "wire/test_runs.py::test_a_body_that_is_no_request_is_refused",
        ),
    ),
    Row(
        "rules.lists",
        WIRE,
        "Query lists come as repeated parameters (Python) and as one JSON array (JavaScript).",
        ("http/test_parse.py::test_a_list_is_understood_in_three_spellings",),
        divergence="Both are understood for every list, and `a,b` too; the official server takes one or the other.",
    ),
    Row(
        "rules.malformed_id",
        WIRE,
        "An id that is no UUID is a 422 `Invalid thread ID: must be a UUID` (run, assistant, cron alike).",
        (
            "http/test_parse.py::test_an_id_that_is_no_uuid_is_refused",
            "wire/test_runs.py::test_a_run_needs_a_thread",
            "http/test_threads.py::test_unknown_threads_and_malformed_ids",
        ),
        divergence="The same on every route; the official server answers 400 with another text on one of them.",
    ),
    Row(
        "rules.never_500",
        "REGRESSIONS, The API",
        "No body and no query, however odd, gets a 500.",
        (
            "http/test_fuzz.py::test_no_request_gets_a_500",
            "wire/test_runs.py::test_no_body_however_odd_gets_a_500",
            "conformance/test_openapi.py::test_a_route_does_what_the_document_says",
        ),
        divergence="The official server has several.",
    ),
    Row(
        "rules.null",
        WIRE,
        "An explicit null means that the field was not given.",
        (
            "http/test_parse.py::test_an_explicit_null_means_the_default",
            "wire/test_transcripts.py::test_a_recorded_exchange[errors_generic]",
        ),
        divergence="The official server refuses most of them; the SDKs drop nulls, so accepting them is safe.",
    ),
    Row(
        "rules.openapi",
        "wire.md 11",
        "The document describes each route's bodies, parameters and statuses.",
        (
            "http/test_system.py::test_the_document_describes_every_route",
            "conformance/test_openapi.py::test_a_route_does_what_the_document_says",
            "conformance/test_openapi.py::test_the_document_is_the_one_that_is_served",
            "conformance/test_openapi.py::test_the_endless_stream_begins_as_the_document_says",
        ),
        routes=("GET /openapi.json",),
    ),
    Row(
        "rules.pagination_next",
        WIRE,
        "`x-pagination-next` is the next offset, and is there only if there is more.",
        (
            "http/test_threads.py::test_search_filters_sorts_selects_extracts_and_counts",
            "crons/test_api.py::test_search_and_count",
            "http/test_assistants.py::test_search_filters_sorts_selects_and_counts",
        ),
    ),
    Row(
        "rules.pagination_total",
        WIRE,
        "`x-pagination-total` comes with searches of assistants, threads and crons.",
        (
            "http/test_threads.py::test_search_filters_sorts_selects_extracts_and_counts",
            "crons/test_api.py::test_search_and_count",
        ),
        divergence="For threads the total, or at least so many beyond 1,000; the official one adds up what it fetched.",
        defect=True,
    ),
    Row(
        "rules.paths",
        SDK,
        "An id in a path is decoded once and is never a path step, whatever it holds.",
        (
            "http/test_app.py::test_an_id_is_decoded_once_per_segment",
            "client/test_calls.py::test_an_id_is_one_path_segment_whatever_is_in_it",
        ),
    ),
    Row(
        "rules.timestamps_and_ids",
        WIRE,
        "Times are ISO 8601 with microseconds and `+00:00`; ids are UUIDs, made of the name for graphs' assistants.",
        (
            "http/test_assistants.py::test_every_graph_has_an_assistant",
            "http/test_threads.py::test_create_get_and_the_shape_of_a_fresh_thread",
        ),
    ),
    Row(
        "rules.unknown_route",
        WIRE,
        "An unknown route is a 404, a wrong method a 405 with `allow`; a trailing slash is another route.",
        (
            "http/test_app.py::test_an_unknown_route_is_a_404_in_the_one_shape",
            "http/test_app.py::test_a_wrong_method_is_a_405_that_names_the_methods_of_the_path",
        ),
    ),
    Row(
        "rules.vary",
        WIRE,
        "Answers vary by `Origin` and are not compressed.",
        (
            "http/test_app.py::test_a_browser_may_read_answers_and_the_headers_that_sdks_need",
            "conformance/test_transcripts.py::test_a_recorded_exchange[headers_misc]",
        ),
    ),
)
