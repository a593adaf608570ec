"""Traces by OpenTelemetry: spans of calls, of their appends, and of the batches that they end up in.

Nothing here is imported, and nothing stands around a call, unless `traces.endpoint` is set (`app/tracing.py`). Spans
hold names and numbers of ours, never what a caller wrote; of a caller only traceparent is taken over.
"""
