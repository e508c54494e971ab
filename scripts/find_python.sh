#!/bin/sh
# Print a Python that is new enough for treadle, or an error. PYTHON=... replaces the list of candidates.
for python in ${PYTHON:-python3.13 python3.12 python3.11 python3 python}; do
    if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "$python"
        exit 0
    fi
done
echo "treadle needs Python 3.11 or newer with the venv module; none found. Name one with: make setup PYTHON=/path/to/python3" >&2
exit 1
