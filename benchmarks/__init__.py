"""How fast treadle is, against bare LangGraph and LangGraph's own development server, in one run: ``make bench``.

Three kinds of processes: this one only starts the others and prints; ``benchmarks.bare`` runs a graph without a server;
``treadle.bench.load`` sends requests to servers that have processes of their own. See docs/performance.md.
"""
