"""What changes rows after they were stored: replay, rescoring, erasure. Runs in the loader process."""
