"""How fast a server of this API is: the graphs, a load generator in a process of its own, and what it measures.

A stranger to the rest of treadle, as any client of a server is: ``treadle bench URL`` measures any server.
"""
