"""How fast treadle is, as ratios to bare LangGraph on the same machine in the same run: ``make bench``.

Three kinds of processes: this one only starts the others and prints; ``benchmarks.bare`` runs a graph without a server;
``benchmarks.load`` sends requests to a ``treadle serve`` of its own. See docs/performance.md.
"""
