"""{bookmap}: the parts and chapters of the book, in the order of _toc.yml, each with its question and its points.

A chapter's line is the `description` of its front matter.  Only what is there appears, so the map can't promise more.
"""

from docutils import nodes
from exercise import read
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class bookmap(nodes.General, nodes.Element):
    """Stands for the map until every title is known."""


class BookMap(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        # Titles and points are other pages' to change.
        self.env.note_reread()
        return [bookmap()]


def _resolve(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    for node in list(doctree.findall(bookmap)):
        node.replace_self(_map(app, docname))


def _map(app: Sphinx, docname: str) -> nodes.container:
    site_map = app.config.external_site_map
    box = nodes.container(classes=["bookmap"])
    exercises = points = 0
    for part in site_map.root.subtrees:
        box += nodes.paragraph("", part.caption, classes=["bookmap-part"])
        chapters = nodes.bullet_list(classes=["bookmap-chapters"])
        for page in part.files():
            entry = read(app.srcdir, page.rsplit("/", 1)[-1])
            exercises += len(entry)
            points += sum(e.points for e in entry.values())
            chapters += _chapter(app, docname, page, entry)
        box += chapters
    if exercises:
        count = f"{exercises} exercise{'s' * (exercises > 1)}, {points:g} points."
        box += nodes.paragraph("", count, classes=["bookmap-total"])
    return box


def _chapter(app: Sphinx, docname: str, page: str, exercises: dict) -> nodes.list_item:
    title = nodes.reference("", "", internal=True, refuri=app.builder.get_relative_uri(docname, page))
    title += [child.deepcopy() for child in app.env.titles[page].children]
    line = nodes.paragraph("", "", nodes.strong("", "", title))
    if exercises:
        points = sum(e.points for e in exercises.values())
        line += [nodes.Text(" "), nodes.inline("", f"{points:g} points", classes=["bookmap-points"])]
    item = nodes.list_item("", line)
    description = app.env.metadata[page].get("description")
    if description:
        item += nodes.paragraph("", description)
    return item


def setup(app: Sphinx) -> dict:
    app.add_node(bookmap)
    app.add_directive("bookmap", BookMap)
    app.connect("doctree-resolved", _resolve)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
