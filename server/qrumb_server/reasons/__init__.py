"""The one table of reasons: what a caller can be told, whether a retry helps, and what to do about it.

| module | what it lists | where a caller meets it |
| --- | --- | --- |
| `calls.py` | why the service refuses a whole call | ErrorInfo, and BadRequest for a field |
| `arguments.py` | which argument of a call is wrong; listed by `calls.py` | BadRequest |
| `gateway.py` | why Envoy answers in place of the service | ErrorInfo in its JSON |
| `events.py` | what is wrong or odd with one event | Violation, EventWarning, fraud_reasons |

Names never change. To add one, add its entry; docs/errors.md is generated from it (`make generate`), and
tests/contract/test_reasons.py names every hole: an entry that no code uses, a status code or an ErrorInfo beside the
table, a value without an entry.
"""
