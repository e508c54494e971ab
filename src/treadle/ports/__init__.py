"""The Protocols between rules and backends, one file per concern. Their docstrings are the contract."""
