#!/bin/sh
# The gateway's container: `serve` writes Envoy's configuration out of QRUMB_* into /run/qrumb and becomes Envoy; `check`
# asks that Envoy whether it takes requests; `renew` takes renewed certificates over.
set -eu
folder=/run/qrumb

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
  exec python3 -c 'import asyncio, sys
from qrumb_server.gateway.process import check
from qrumb_server.supervise.sockets import GATEWAY_ADMIN
sys.exit(not asyncio.run(check(GATEWAY_ADMIN[0])))'
  ;;
*)
  echo "qrumb-gateway: $1: no such command; there are serve, check and renew" >&2
  exit 64
  ;;
esac
