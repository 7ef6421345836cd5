"""How long a chapter takes, and where to stop: {sittings} at its head, {stop} between one sitting and the next.

    {sittings}`70 80`        two sittings of about 70 and 80 minutes, exercises included; {sittings}`45` is one

    :::{stop}
    What you have by now.
    What comes next.
    :::

The minutes stand at the head alone: {stop} says how long the rest takes.  A chapter with exercises that gives no
time, a sitting of more than 90 minutes, and a number of stops that does not fit the sittings are warnings.
"""

import re

from docutils import nodes
from exercise import chapters
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

logger = logging.getLogger(__name__)
LONGEST = 90
COUNTS = ("no", "one", "two", "three", "four")


class SittingsRole(SphinxRole):
    """The time that a chapter takes, in words."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        if not re.fullmatch(r"[1-9]\d*( [1-9]\d*){0,3}", self.text):
            wanted = "the minutes of one to four sittings are wanted"
            logger.warning("%r: %s", self.text, wanted, location=self.get_location())
            return [], []
        minutes = [int(number) for number in self.text.split()]
        return [nodes.inline("", in_words(minutes), classes=["sittings"], minutes=minutes)], []


class Stop(SphinxDirective):
    """The box between two sittings."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        self.assert_has_content()
        box = nodes.admonition(classes=["stop"])
        box += nodes.title("", "A good place to stop")
        self.state.nested_parse(self.content, self.content_offset, box)
        self.set_source_info(box)
        return [box]


def in_words(minutes: list[int]) -> str:
    if len(minutes) == 1:
        return f"about {minutes[0]} minutes"
    each = minutes if len(set(minutes)) > 1 else minutes[:1]
    listed = " and ".join(filter(None, [", ".join(map(str, each[:-1])), str(each[-1])]))
    return f"{COUNTS[len(minutes)]} sittings of about {listed} minutes"


def _complete(app: Sphinx, doctree: nodes.document) -> None:
    """Say at every stop how long the rest takes, and check that stops and sittings fit."""
    page = app.env.docname
    given = [node["minutes"] for node in doctree.findall(nodes.inline) if "sittings" in node["classes"]]
    stops = [node for node in doctree.findall(nodes.admonition) if "stop" in node["classes"]]
    if not given and (stops or page.rsplit("/", 1)[-1] in chapters(app.srcdir)):
        logger.warning("the chapter does not say how long it takes: {sittings}`...` at its head", location=page)
    for minutes in given:
        if max(minutes) > LONGEST:
            logger.warning("a sitting of %d minutes: divide it with {stop}", max(minutes), location=page)
        if len(stops) != len(minutes) - 1:
            logger.warning("%d sittings, and %d times {stop}", len(minutes), len(stops), location=page)
        for number, stop in enumerate(stops, 1):
            stop += nodes.paragraph("", f"The rest takes about {sum(minutes[number:])} minutes.", classes=["stop-rest"])


def setup(app: Sphinx) -> dict:
    app.add_role("sittings", SittingsRole())
    app.add_directive("stop", Stop)
    app.connect("doctree-read", _complete)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
