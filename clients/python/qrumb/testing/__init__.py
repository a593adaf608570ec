"""A node for the tests of what sends events: a pytest fixture `qrumb_node` with assertions that wait.

`pip install 'qrumb[testing]'` brings the node too. The fixture is one process for a whole run, emptied before each
test.
"""

from qrumb.testing.funnel import Funnel, Number
from qrumb.testing.node import Node, NodeError, running_node

__all__ = ["Funnel", "Node", "NodeError", "Number", "running_node"]
