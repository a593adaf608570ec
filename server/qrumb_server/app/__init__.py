"""The composition root: builds the adapters and wires them into the processes of a node.

`collector.run_collector` is a worker, `loader.run_loader` the loader, `supervise.node.run_node` the supervisor.
"""
