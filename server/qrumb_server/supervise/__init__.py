"""Processes of a node: started, watched, drained, stopped in order."""
