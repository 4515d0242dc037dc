"""The interactive page: data, scripts and styles in one file that needs nothing else.

The scripts in `page/` are ES modules; a file opened from disk may not import, so they are joined:
each becomes a function that returns what it exports, after those it imports.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kgraph.tools.viz.looks import LIGHT
from kgraph.tools.viz.palette import KINDS, NEUTRAL, SCALE

FOLDER = Path(__file__).with_name("page")
LIBRARY = FOLDER / "vendor" / "dagre-3.1.3.min.js"
LICENCE = FOLDER / "vendor" / "dagre.LICENSE"

_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', re.M)
_EXPORT = re.compile(r"^export (class|function|const) (\w+)", re.M)
# What would end the script, or is a line break to JavaScript only; JSON may escape any character.
_ESCAPES = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}


def make_page(
    title: str, tabs: Sequence[Mapping[str, Any]], text: str = "", theme: str = "auto"
) -> str:
    """The page as HTML.

    Args:
        title: of the page.
        tabs: what `main.js` shows: each has id, label and kind, and what the kind needs.
        text: the graph as text, for whoever cannot see pictures.
        theme: light, dark, or auto for what the reader's system wants.

    Returns:
        A document whose policy allows its own scripts and styles and no request at all.

    Example:
        >>> page = make_page("<b>", [])
        >>> "<title>&lt;b&gt;</title>" in page, "\\\\u003cb\\\\u003e" in page
        (True, True)
    """
    library = f"/*\n{LICENCE.read_text('utf-8')}*/\n{LIBRARY.read_text('utf-8')}"
    script, style = join_modules(), (FOLDER / "page.css").read_text("utf-8") + _bands()
    scripts = " ".join(map(_hash, (library, script)))
    parts = {
        "policy": f"default-src 'none'; script-src {scripts}; style-src {_hash(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'",
        "theme": "" if theme == "auto" else f' data-theme="{theme}"',
        "title": html.escape(title),
        "style": style,
        "data": "\n".join(_data(title, tabs, text)),
        "library": library,
        "script": script,
    }
    template = (FOLDER / "page.html").read_text("utf-8")
    return re.sub(r"\{(\w+)\}", lambda found: parts[found[1]], template)


def _data(title: str, tabs: Sequence[Mapping[str, Any]], text: str) -> Iterator[str]:
    """The data in script elements: what every look needs, and what each tab does."""
    names = [{key: tab[key] for key in ("id", "label")} for tab in tabs]
    yield _element("data", {"title": title, "tabs": names, "text": text})
    yield _element("data-colors", {"scale": SCALE, "kinds": KINDS, "neutral": NEUTRAL})
    for tab in tabs:
        yield _element(f"data-{tab['id']}", tab)


def _bands() -> str:
    """The colours of headers, which are those of static pictures."""
    rules = (f".band-{name} .header {{ fill: {color}; }}\n" for name, color in LIGHT.bands.items())
    return "".join(rules)


def _element(id: str, value: Any) -> str:
    return f'<script type="application/json" id="{id}">{escape_json(value)}</script>'


def escape_json(value: Any) -> str:
    """JSON that may stand inside a script element.

    Example:
        >>> escape_json("</script>")
        '"\\\\u003c/script\\\\u003e"'
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029]", lambda found: _ESCAPES[found[0]], text)


def join_modules() -> str:
    """`main` and the modules that it needs, as one module."""
    texts: dict[str, str] = {}
    waiting = ["main"]
    order: list[str] = []
    while waiting:
        name = waiting[-1]
        if name not in texts:
            texts[name] = (FOLDER / f"{name}.js").read_text("utf-8")
        missing = [module for _, module in _IMPORT.findall(texts[name]) if module not in order]
        if missing:
            waiting.extend(missing)
            continue
        waiting.pop()
        if name not in order:
            order.append(name)
    return "\n".join(_as_function(name, texts[name]) for name in order)


def _as_function(name: str, text: str) -> str:
    """A module as the object of its exports."""
    exports = ", ".join(found for _, found in _EXPORT.findall(text))
    body = _EXPORT.sub(r"\1 \2", _IMPORT.sub(r"const \1 = module_\2;", text))
    return f"const module_{name} = (() => {{\n{body}\nreturn {{ {exports} }};\n}})();"


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
