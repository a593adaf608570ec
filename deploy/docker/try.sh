#!/usr/bin/env bash
# Builds both images with buildah and runs them as they are to be run: user 10001, a read-only root, no new privileges and
# no capabilities. As root: deploy/docker/try.sh (make images); with `run` it runs what was built before.
#
# BASE: image to build on; unless set, a Debian 12 that mmdebstrap makes here, once.
# BUILD_OPTIONS: further ones of `buildah bud`, such as -v for the certificates of a proxy.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
containers=() mounts=() processes=()
read -r http grpc metrics edge <<<"$(python3 -c 'import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
print(*(one.getsockname()[1] for one in held))')"

leave() {
  set +e
  for process in "${processes[@]}"; do kill "$process" 2>/dev/null && wait "$process"; done
  for ((i = ${#mounts[@]} - 1; i >= 0; i--)); do umount "${mounts[i]}"; done
  for container in "${containers[@]}"; do buildah rm "$container" >/dev/null; done
  rm -rf --one-file-system "$work"
}
trap leave EXIT

fail() {
  echo "images: $1" >&2
  tail -n 60 "$work"/*.log >&2 || true
  exit 1
}

until_true() { # SECONDS WHAT COMMAND...: a loop around a test, whose failure to come names what was waited for
  local left=$(($1 * 5)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((left-- > 0)) || fail "$what"
    sleep 0.2
  done
}

mount_at() { # TARGET ARGUMENTS...
  mount "${@:2}" "$1"
  mounts+=("$1")
}

build() { # NAME
  # shellcheck disable=SC2086  # options, not one word
  # Docker's format: the other one has no health checks.
  buildah bud --quiet --format docker --layers --isolation chroot --network host ${BUILD_OPTIONS:-} --build-arg "BASE=$BASE" \
    -f "$here/deploy/docker/$1.Dockerfile" -t "localhost/qrumb-$1:try" "$here" >/dev/null
  echo "images: $1 is built, $(buildah images --format '{{.Size}}' "localhost/qrumb-$1:try")"
}

# A container's root at $work/NAME, and in `inside` the command before what is to run in it.
enter() { # NAME WRITABLE-FOLDER VARIABLES...
  local container root=$work/$1
  container=$(buildah from --pull-never "localhost/qrumb-$1:try")
  containers+=("$container")
  mkdir "$root"
  mount_at "$root" --bind "$(buildah mount "$container")"
  mount -o remount,ro,bind "$root"
  mount_at "$root$2" -t tmpfs -o mode=0700,uid=10001,gid=10001 tmpfs
  mount_at "$root/tmp" -t tmpfs -o mode=1777 tmpfs
  mount_at "$root/proc" -t proc proc
  mount_at "$root/dev" --bind /dev
  mount_at "$root/sys" --bind /sys
  inside=(
    env -i PATH=/opt/qrumb/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin PYTHONDONTWRITEBYTECODE=1 "${@:3}"
    chroot --userspec=10001:10001 "$root" setpriv --no-new-privs --bounding-set=-all --inh-caps=-all
    sh -c "cd $2 && exec \"\$@\"" sh
  )
}

if [ "${1:-}" != run ] && [ -z "${BASE:-}" ]; then
  BASE=localhost/qrumb-base
  if ! buildah inspect --type image "$BASE" >/dev/null 2>&1; then
    mmdebstrap --quiet --variant=minbase --include=ca-certificates,python3,python3-pip,python3-venv bookworm "$work/base.tar"
    container=$(buildah from scratch)
    containers+=("$container")
    buildah add --quiet "$container" "$work/base.tar" / >/dev/null
    buildah commit --quiet "$container" "$BASE" >/dev/null
  fi
fi
if [ "${1:-}" != run ]; then
  build service
  build gateway
fi

enter service /var/lib/qrumb DATA_DIR=/var/lib/qrumb QRUMB_WORKERS=1 HTTP_PORT="$http" GRPC_PORT="$grpc" METRICS_PORT="$metrics"
node=("${inside[@]}")
"${node[@]}" sh -c '! command -v gcc && ! command -v cargo && ! touch /opt/there 2>/dev/null' >/dev/null ||
  fail "there is a compiler, or the root can be written to"
"${node[@]}" qrumb serve >"$work/service.log" 2>&1 &
processes+=($!)
until_true 120 "the node is not ready" grep -q '^ready: ' "$work/service.log"
"${node[@]}" qrumb status >"$work/status.log"
grep -q '"condition": "READY"' "$work/status.log" || fail "the node is not READY"
grep -q '"compiled": true' "$work/status.log" || fail "the compiled way is not there"
key=$("${node[@]}" cat /var/lib/qrumb/demo.key)
for page in "" console.js console.css; do
  curl -fsS -o "$work/page" "http://127.0.0.1:$http/console/$page" || fail "the console is not there"
  [ -s "$work/page" ] || fail "the console is empty"
done

# The node does not know it by a certificate, and so lets it hand over no JSON unread.
enter gateway /run/qrumb RUNTIME_DIRECTORY=/run/qrumb HTTP_PORT="$edge" QRUMB_GATEWAY__JSON=transcode \
  "QRUMB_GATEWAY__UPSTREAM=[\"127.0.0.1:$grpc\"]"
"${inside[@]}" qrumb-gateway serve >"$work/gateway.log" 2>&1 &
processes+=($!)
until_true 60 "the gateway does not answer" "${inside[@]}" qrumb-gateway check

send() { # PORT PATH JSON
  curl -fsS "http://127.0.0.1:$1$2" -A 'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0' \
    -H "authorization: Bearer $key" -d "$3" >>"$work/answers.log" || fail "$2 was refused"
}
send "$http" /scan-sessions '{"site_id": "demo", "scan_session_id": "scan-1", "qr_code_id": "poster-7", "request_method": "GET"}'
send "$edge" /collect '{"site_id": "demo", "event_type": "pageview", "scan_session_id": "scan-1", "consent": "granted"}'
send "$http" /server-events '{"site_id": "demo", "event_name": "purchase", "scan_session_id": "scan-1",
  "conversion_value": {"amount": "49.90", "currency": "EUR"}}'
sold() {
  curl -fsS "http://127.0.0.1:$http/v1/sites/demo/funnel" -H "authorization: Bearer $key" | grep -q '"amount":"49.90"'
}
until_true 60 "the sale is not in the funnel" sold
"${node[@]}" sh -c 'qrumb status >/dev/null; test $? -lt 2' || fail "the health check says no"
"${inside[@]}" qrumb-gateway renew || fail "the gateway takes no renewed certificate"

for process in "${processes[1]}" "${processes[0]}"; do
  kill "$process"
  wait "$process" || fail "a stop ended with $?"
done
processes=()
echo "images: compiled, with the console; a scan, a visit through the gateway, a sale, a funnel, health checks and stops"
