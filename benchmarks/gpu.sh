#!/usr/bin/env bash
# What an accelerator gives, in under ten minutes: a table on the screen, gpu.json in the working directory.
#   benchmarks/gpu.sh                in an environment of its own below /tmp, made by benchmarks/requirements-gpu.txt
#   PYTHON=python benchmarks/gpu.sh  in the one that is there;  --quick --device cpu for a walk without an accelerator
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${PYTHON:-}" ]; then
  place=${TMPDIR:-/tmp}/beholder-gpu
  "$place/bin/python" -m pip --version >/dev/null 2>&1 || python3 -m venv "$place"
  (cd "$here/.." && "$place/bin/python" -m pip install --quiet -r benchmarks/requirements-gpu.txt)
  PYTHON=$place/bin/python
fi
exec "$PYTHON" "$here/gpu.py" "$@"
