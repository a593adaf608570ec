#!/bin/sh
# The gateway's container: `serve` writes Envoy's configuration out of QRUMB_* into /run/qrumb and becomes Envoy; `check`
# asks that Envoy whether it takes requests; `renew` takes renewed certificates over.
set -eu
folder=${RUNTIME_DIRECTORY:-/run/qrumb}

case "${1:-serve}" in
serve)
  run=$(qrumb gateway-config "$folder")
  eval "$run"
  ;;
renew)
  qrumb gateway-config "$folder" >/dev/null
  ;;
check)
  cd "$folder"
  exec python3 -c 'import httpx, sys
from qrumb_server.supervise.sockets import GATEWAY_ADMIN
with httpx.Client(transport=httpx.HTTPTransport(uds=GATEWAY_ADMIN[0])) as admin:
    sys.exit(admin.get("http://envoy/ready").status_code != 200)'
  ;;
*)
  echo "qrumb-gateway: $1: no such command; there are serve, check and renew" >&2
  exit 64
  ;;
esac
