#!/usr/bin/env bash
# Checks the alerts, and plays each one's test. It needs promtool: from PATH, or as `make promtool` has built it.
# `where` says where that is; there is a Prometheus beside it, for the tests that ask one.
set -euo pipefail
cd "$(dirname "$0")"

case $(uname) in Darwin) usual=$HOME/Library/Caches ;; *) usual=$HOME/.cache ;; esac
built=${BDCAN_CACHE_DIR:-${XDG_CACHE_HOME:-$usual}/bdcan}/prometheus-0.316.0

if [[ ${1:-} == where ]]; then
  echo "$built"
  exit
fi
if [[ ${1:-} == build ]]; then
  [[ -x $built/promtool && -x $built/prometheus ]] && exit
  # without service discovery, which is most of it and which we do not need
  GOBIN=$built go install -tags remove_all_sd github.com/prometheus/prometheus/cmd/{promtool,prometheus}@v0.316.0
  exit
fi

promtool=$(command -v promtool || true)
[[ -x $built/promtool ]] && promtool=$built/promtool
if [[ -z $promtool ]]; then
  echo "check: the alerts are not checked, because there is no promtool: \`make promtool\` builds it with Go (CI has it)"
  exit
fi
"$promtool" check rules --lint=all --lint-fatal alerts.yml > .promtool.log || { cat .promtool.log; exit 1; }
"$promtool" test rules tests/*.yml > .promtool.log 2>&1 || { grep -v -e SUCCESS -e '^$' .promtool.log; exit 1; }
