"""Envoy, the HTTP edge: what it is told (options), its configuration file (render), its command line (process).

gateway/envoy.yaml at the root is the template. Nothing here starts a process; `supervise.gateway` does.
"""
