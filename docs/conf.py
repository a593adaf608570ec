"""The documentation site: `make docs`. Its pages are those of docs/index.md, staged by tools/docs_site.py."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

project = "qrumb"
author = "The qrumb authors"
copyright = "The qrumb authors, Apache-2.0"  # noqa: A001 - Sphinx's name
extensions = ["myst_parser"]
root_doc = "index"
# Pages are plain CommonMark with tables, as code hosts show them: no directives but those that the staging adds.
myst_enable_extensions: list[str] = []
myst_heading_anchors = 4
html_theme = "furo"
html_title = "qrumb"
html_copy_source = False  # the staging puts the Markdown beside its page, where llms.txt leads
html_show_sphinx = False
html_use_index = False
html_permalinks_icon = "#"
html_static_path = ["site"]
html_css_files = ["site.css"]
html_theme_options = {"source_repository": "", "top_of_page_buttons": []}
pygments_style = "friendly"
pygments_dark_style = "monokai"


def name_sections(_app: Sphinx, doctree: nodes.document) -> None:
    """Give each section the address that a code host gives it, so that `errors#key_missing` leads to the same place in
    both; docutils alone would make `key-missing` of it."""
    for section in doctree.findall(nodes.section):
        slug = section.get("slug")
        if slug and slug not in section["ids"] and slug not in doctree.ids:
            section["ids"].insert(0, slug)
            doctree.ids[slug] = section


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls it."""
    app.connect("doctree-read", name_sections)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
