"""The gRPC edge: servicers, the guard around every call, and errors as google.rpc.Status."""
