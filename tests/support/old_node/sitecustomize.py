"""Makes the loader of a real node speak to Debian's clickhouse-server, where PYTHONPATH names this folder.

Nothing of the product is replaced but the words it says to the server: the store gets the connection and the dialect
that the tests of the store give it as arguments. All other processes of the node are as they are.
"""

import sys

if "loader" in sys.orig_argv:
    from functools import partial

    from qrumb_server.app import stores
    from qrumb_server.store.server import ServerStore
    from tests.support.old_cluster import dialect
    from tests.support.old_server import OldConnection

    stores.ServerStore = partial(ServerStore, connect=OldConnection, dialect=dialect)  # type: ignore[misc,assignment]
