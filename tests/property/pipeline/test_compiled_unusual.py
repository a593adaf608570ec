"""Less usual events on the compiled way: equal, and taken all the same where real traffic has many of them."""

from typing import Any

import pytest

from qrumb.signing import sign_scan_session_id
from qrumb.v1.consent_pb2 import Consent
from qrumb_server.model import SitePolicy, Source
from qrumb_server.rpc.hotpath import is_built
from tests.property.pipeline.test_compiled import COMPILED, ordinary, written
from tests.support.two_ways import Ways

pytestmark = pytest.mark.skipif(not is_built(), reason="the compiled way is not built: it takes cargo")

DENIED = {"consent": Consent.DENIED, "page_url": "https://shop.example?q=1#top", "referrer": "android-app://com.x/#a"}
SIGNED = {"scan_session_id": sign_scan_session_id("old", "demo", "scan-1")}


@pytest.mark.parametrize(
    ("policy", "fields", "is_taken"),
    [
        (SitePolicy(), DENIED, True),
        (SitePolicy(), {**DENIED, "page_url": "HTTPS://shop.example/?q=1"}, False),
        (SitePolicy(), {**DENIED, "page_url": "https://shop.example/?q=https://jane:x@b.example/"}, False),
        (SitePolicy(non_personal_keys=frozenset({"campaign"})), DENIED, False),
        (SitePolicy(default_consent="denied"), {"consent": Consent.CONSENT_UNSPECIFIED}, True),
        (SitePolicy(session_secrets=("secret", "old")), SIGNED, True),
        (SitePolicy(session_secrets=("secret",)), SIGNED, True),
        (SitePolicy(session_secrets=("secret",)), {"scan_session_id": ""}, True),
        (SitePolicy(), {"event_id": "0192F0C1-7E1A-7C3D-9B1E-2F6A7D8C9E0F"}, True),
        (SitePolicy(), {"event_id": "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"}, False),
        (SitePolicy(), {"page_title": "Größe ４２ 👟 – 東京"}, True),
    ],
)
def test_what_is_less_usual_is_equal(policy: SitePolicy, fields: dict[str, Any], is_taken: bool) -> None:
    """Consent denied, sessions signed and forged, ids in upper case."""
    event = ordinary(Source.BROWSER, 5)
    for name, value in fields.items():
        setattr(event, name, value)
    ways = Ways(COMPILED, policy=policy)
    assert not ways.differences([event], Source.BROWSER)
    assert not ways.differences_of_json(written([event]), Source.BROWSER)
    assert ways.taken == (2 if is_taken else 0)
