"""What the site needs beside its text: fresh executions, a front door, and nothing from anywhere else."""

import hashlib
import html
import re
import shutil
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

FRONT_DOOR = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<meta http-equiv="refresh" content="0; url={url}">
<link rel="canonical" href="{url}">
</head>
<body><main><h1>{title}</h1><p><a href="{url}">Open the book</a></p></main></body>
</html>
"""

ICON_FONT = re.compile(r"@font-face\s*\{[^}]*fontawesome[^}]*\}")
UNUSED = (
    "scripts/fontawesome.js",
    "scripts/fontawesome.js.LICENSE.txt",
    "vendor",
    "images",
    "locales",
    "webpack-macros.html",
    "sbt-webpack-macros.html",
)


def _library(root: Path) -> str:
    """A name for the state of the code that chapters import."""
    digest = hashlib.sha256()
    for path in sorted((root / "backprop").rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _key_executions(app: Sphinx, config) -> None:
    """An execution is kept for as long as the code it imports is the same; MyST-NB looks at the cells alone."""
    config.library = _library(Path(app.srcdir))
    caches = Path(app.outdir).parent / "executed"
    config.nb_execution_cache_path = str(caches / config.library)
    for old in caches.glob("*"):
        if old.name != config.library:
            shutil.rmtree(old)


def _describe(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    description = app.env.metadata.get(pagename, {}).get("description")
    if description:
        context["metatags"] += f'\n<meta name="description" content="{html.escape(description)}">'


def _mend(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Docutils writes its bibliography with roles that ARIA has since withdrawn."""
    if "body" in context:
        context["body"] = (
            context["body"]
            .replace('<div role="list" class="citation-list">', '<div class="citation-list">')
            .replace(' role="doc-biblioentry"', "")
        )


def _finish(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.name != "html":
        return
    out = Path(app.outdir)
    page = FRONT_DOOR.format(title=app.config.html_title, url=app.builder.get_target_uri(app.config.root_doc))
    (out / "index.html").write_text(page, encoding="utf-8")
    # Asked for by no page: icons come from book.css, and debuggers alone read source maps.
    for unused in UNUSED:
        path = out / "_static" / unused
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    # Nor is the theme's icon font: without it a browser that meets the theme's style first asks for nothing.
    theme = out / "_static" / "styles" / "pydata-sphinx-theme.css"
    theme.write_text(ICON_FONT.sub("", theme.read_text(encoding="utf-8")), encoding="utf-8")
    for source_map in (out / "_static").rglob("*.map"):
        source_map.unlink()


def setup(app: Sphinx) -> dict:
    app.add_config_value("library", "", "env")
    # Jupyter Book sets it whether or not the extension that reads it is there.
    app.add_config_value("comments_config", {}, "")
    app.connect("config-inited", _key_executions)
    app.connect("html-page-context", _describe)
    app.connect("html-page-context", _mend)
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
