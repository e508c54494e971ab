"""The rules for every endpoint, and errors as the SDKs read them."""

from conformance.row import Row

ROWS = (
    Row(
        "rules.bodies",
        "Bodies are JSON regardless of their content type; unknown fields are ignored.",
        ("http/test_parse.py::test_a_body_becomes_a_model_object_and_unknown_fields_are_ignored",),
    ),
    Row(
        "rules.body_limit",
        "Large bodies are accepted.",
        (
            "http/routes/test_system.py::test_a_client_that_sends_too_much_reads_the_413",
            "http/routes/test_runs.py::test_a_body_over_the_limit_is_refused_before_it_is_read",
            "e2e/faults/test_creation.py::test_a_body_over_the_limit_is_refused_quickly",
        ),
        divergence="A body above `max_body_bytes` gets 413 before it is read; the official server has no limit.",
        defect=True,
    ),
    Row(
        "rules.cors",
        "Browsers of any origin may read responses and the headers that the SDKs need.",
        (
            "http/test_app.py::test_a_browser_may_read_answers_and_the_headers_that_sdks_need",
            "http/routes/test_runs.py::test_a_browser_of_any_origin_sees_what_it_needs",
            "js/streams.test.mjs::the headers keep proxies from buffering and tell browsers where to go on",
        ),
        divergence="`location` is also exposed, so that the JS SDK can reconnect in a browser.",
        defect=True,
    ),
    Row(
        "rules.cors_private_network",
        "CORS preflight requests are answered.",
        ("http/test_app.py::test_a_preflight_is_answered_for_private_networks_too",),
        divergence="Also private network preflights, so that a page on the public web can call a local server.",
    ),
    Row(
        "rules.deep_json",
        "JSON that is nested too deeply gets 400.",
        (
            "http/test_parse.py::test_json_nested_too_deeply_is_a_bad_request",
            "transcripts/test_timing.py::test_a_recorded_exchange[errors_oversize]",
        ),
    ),
    Row(
        "rules.error_body",
        "Errors are `{detail}`, in every status and on every route.",
        (
            "http/test_app.py::test_every_api_error_answers_with_its_status_and_body",
            "conformance/test_openapi.py::test_a_route_matches_the_document",
        ),
        divergence="`code` and data such as `field` are added; the texts of validation errors differ.",
    ),
    Row(
        "rules.error_classes",
        "400, 401, 403, 404, 409, 422, 429 and 5xx become the SDKs' own exceptions, with the text of `detail`.",
        (
            "e2e/sdk/test_sdk.py::test_errors_have_their_types",
            "e2e/sdk/test_threads.py::test_errors_are_the_sdks_own_classes",
            "js/errors.test.mjs::a server that is not there",
        ),
    ),
    Row(
        "rules.field_named",
        "A field of the wrong type or value gets 422.",
        (
            "http/routes/test_runs.py::test_a_bad_field_is_refused_by_name",
            "http/test_parse.py::test_a_bad_field_is_named_with_what_is_allowed",
        ),
        divergence="The text names the field and the allowed values.",
    ),
    Row(
        "rules.invalid_json",
        "Bad or empty JSON gets 422 `Invalid JSON in request body`.",
        (
            "http/test_parse.py::test_what_is_not_json_is_unprocessable",
            "http/routes/test_runs.py::test_a_body_that_is_no_request_is_refused",
        ),
    ),
    Row(
        "rules.lists",
        "Query lists are repeated parameters (Python) or one JSON array (JavaScript).",
        ("http/test_parse.py::test_a_list_is_understood_in_three_spellings",),
        divergence="Every list accepts both forms, and `a,b`; the official server accepts only one form per route.",
    ),
    Row(
        "rules.malformed_id",
        "A malformed id gets 422 `Invalid thread ID: must be a UUID` (also for runs, assistants and crons).",
        (
            "http/test_parse.py::test_an_id_that_is_no_uuid_is_refused",
            "http/routes/test_runs.py::test_a_run_needs_a_thread",
            "http/routes/test_threads.py::test_unknown_threads_and_malformed_ids",
        ),
        divergence="The same on every route; on one route, the official server answers 400 with another text.",
    ),
    Row(
        "rules.never_500",
        "Malformed bodies and queries never get a 500.",
        (
            "http/test_fuzz.py::test_no_request_gets_a_500",
            "http/routes/test_runs.py::test_no_body_however_odd_gets_a_500",
            "conformance/test_openapi.py::test_a_route_matches_the_document",
        ),
        divergence="The official server has several such cases.",
    ),
    Row(
        "rules.null",
        "An explicit null counts as an absent field.",
        (
            "http/test_parse.py::test_an_explicit_null_means_the_default",
            "transcripts/test_runs.py::test_a_recorded_exchange[errors_generic]",
        ),
        divergence="The official server refuses most nulls; the SDKs omit them, so accepting them is safe.",
    ),
    Row(
        "rules.openapi",
        "The OpenAPI document describes each route's bodies, parameters and statuses.",
        (
            "http/routes/test_system.py::test_the_document_describes_every_route",
            "conformance/test_openapi.py::test_a_route_matches_the_document",
            "conformance/test_openapi.py::test_the_server_serves_this_document",
            "conformance/test_openapi.py::test_the_endless_stream_starts_as_documented",
        ),
        routes=("GET /openapi.json",),
    ),
    Row(
        "rules.pagination_next",
        "`x-pagination-next` is the next offset, sent only if there are more results.",
        (
            "http/routes/test_threads.py::test_search_filters_sorts_selects_extracts_and_counts",
            "http/routes/test_crons.py::test_search_and_count",
            "http/routes/test_assistants.py::test_search_filters_sorts_selects_and_counts",
        ),
    ),
    Row(
        "rules.pagination_total",
        "Searches of assistants, threads and crons send `x-pagination-total`.",
        (
            "http/routes/test_threads.py::test_search_filters_sorts_selects_extracts_and_counts",
            "http/routes/test_crons.py::test_search_and_count",
        ),
        divergence="For threads it is exact up to 1,000, then a lower bound; the official server sends a wrong total.",
        defect=True,
    ),
    Row(
        "rules.paths",
        "An id in a path is decoded once and never treated as a path segment.",
        (
            "http/test_app.py::test_an_id_is_decoded_once_per_segment",
            "client/test_calls.py::test_an_id_is_one_path_segment_whatever_is_in_it",
        ),
    ),
    Row(
        "rules.timestamps_and_ids",
        "Times are ISO 8601 with microseconds and `+00:00`; ids are UUIDs (of default assistants, from the graph).",
        (
            "http/routes/test_assistants.py::test_every_graph_has_an_assistant",
            "http/routes/test_threads.py::test_create_get_and_the_shape_of_a_fresh_thread",
        ),
    ),
    Row(
        "rules.unknown_route",
        "An unknown route gets 404, a wrong method 405 with `allow`; a trailing slash makes another route.",
        (
            "http/test_app.py::test_an_unknown_route_is_a_404_in_the_one_shape",
            "http/test_app.py::test_a_wrong_method_is_a_405_that_names_the_methods_of_the_path",
        ),
    ),
    Row(
        "rules.vary",
        "Responses send `Vary: Origin` and are not compressed.",
        (
            "http/test_app.py::test_a_browser_may_read_answers_and_the_headers_that_sdks_need",
            "transcripts/test_timing.py::test_a_recorded_exchange[headers_misc]",
        ),
    ),
)
