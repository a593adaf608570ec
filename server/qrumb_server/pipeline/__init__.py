"""The pure core: what happens to one event between the edge and the spool."""
