"""For HTTP clients without TLS: for each, httpx reads all authorities unless told otherwise, 40 ms of a processor.

A question that is asked until its answer has come makes many of them. Given as `verify`; trusts nobody.
"""

import ssl
from typing import Final

__all__ = ["NO_TLS"]

NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
