"""The gRPC edge: servicers, the wrappers around every call, and errors as google.rpc.Status."""
