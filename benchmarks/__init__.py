"""Benchmarks of treadle against bare LangGraph and LangGraph's development server, in one run: ``make bench``.

Three kinds of processes: this one starts the others and prints the results; ``benchmarks.bare`` runs graphs without a
server; ``treadle.bench.load`` sends requests to servers, each of which has its own process. See docs/performance.md.
"""
