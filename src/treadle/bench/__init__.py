"""Measure how fast a server of this API is: the graphs, a load generator with its own process, and the measurements.

It imports nothing of treadle, because it is a client like any other: ``treadle bench URL`` measures any server.
"""
