"""JSON as senders write it: bytes of a body -> RawEvents, with nothing dropped, changed or guessed in silence.

Two ways, one answer. `usual.py` reads what nearly all senders send, by a compiled reader, and says "yours" to the
rest; `event.py` reads that member by member and can say of each what is odd about it and where. What the two give for
one text is equal wherever both give something; a property test holds them together. `body.py` is what the edges call.

`request.py` reads the body of any other call, and lets none pass that it has not read whole.

What RFC 8259 calls no JSON refuses the call, with its place. Everything else is a matter of the one event.
"""
