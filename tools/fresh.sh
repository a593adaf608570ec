#!/usr/bin/env bash
# Generates all code anew and fails if that changes a file that git does not ignore: generated code is stale, or was
# edited by hand. What else is not committed yet does not matter.
set -euo pipefail
cd "$(dirname "$0")/.."

files() { # the state of the work tree, as git would commit it
  local index
  index=$(mktemp -u "${TMPDIR:-/tmp}/qrumb-index-XXXXXX")
  GIT_INDEX_FILE=$index git add --all
  GIT_INDEX_FILE=$index git write-tree
  rm -f "$index"
}

before=$(files)
.venv/bin/python tools/generate.py
after=$(files)
if [ "$before" != "$after" ]; then
  git --no-pager diff --stat "$before" "$after"
  echo "The generated code was stale. It is fresh now: commit it." >&2
  exit 1
fi
