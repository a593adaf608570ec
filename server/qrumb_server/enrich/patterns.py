"""Patterns that are tried all at once, in time linear in the text, whatever the text is: ua-parser's engine (Rust).

It knows no look-around and no back references; a table's order says which of several matches counts.
"""

from collections.abc import Callable, Iterable

from ua_parser_rs import UserAgentExtractor

__all__ = ["first_label"]


def first_label(rules: Iterable[tuple[str, str]]) -> Callable[[str], str]:
    """A function that gives the label of the first rule (label, pattern) that a text matches; empty for none."""
    extractor = UserAgentExtractor([(pattern, label, None, None, None, None) for label, pattern in rules])

    def label_of(text: str) -> str:
        found = extractor.extract(text)
        return found.family if found else ""

    return label_of
