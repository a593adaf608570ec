"""What `qrumb micro` has that a node has not: an HTTP edge of its own in the place of Envoy, and questions for tests.

Events are judged, kept, loaded and answered by the node's own parts; `app/micro.py` puts them together.
"""
