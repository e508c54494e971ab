"""Enter an isolated network namespace and print the reachable addresses; see test_isolation."""

from __future__ import annotations

import socket
import sys

from benchmarks import isolation


def main() -> None:
    if not isolation.is_isolated():
        flags = isolation.unshare_flags()
        if flags is None:
            print("impossible")
            return
        isolation.enter(flags, "bench.isolated", ["given"])
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()):
        print("loopback", *sys.argv[1:], end=" ")
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=2).close()
    except OSError as error:
        print(error.strerror)


if __name__ == "__main__":
    main()
