"""Show the API to people: one page, written from its OpenAPI document, without scripts and without other hosts."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse

_HEADERS: Final = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
_STYLE: Final = """
:root { color-scheme: light dark; --faint: color-mix(in srgb, currentColor 60%, transparent); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; } summary, code, pre { font-family: ui-monospace, monospace; font-size: 14px; }
details { border: 1px solid var(--faint); border-radius: 6px; margin: .5rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; } summary span { font-family: system-ui, sans-serif; color: var(--faint); }
table { border-collapse: collapse; width: 100%; } td { padding: .2rem .8rem .2rem 0; vertical-align: top; }
td:first-child { white-space: nowrap; width: 14rem; } td:nth-child(2) { color: var(--faint); width: 14rem; }
pre { overflow-x: auto; padding: .6rem; border-left: 3px solid var(--faint); }
b { display: inline-block; width: 4.5rem; }
"""
_Json = Mapping[str, Any]


def install(app: FastAPI) -> None:
    """Serve the page at `/docs`."""

    def docs(_: Request) -> HTMLResponse:
        return HTMLResponse(page(app.openapi()), headers=_HEADERS)

    app.add_route("/docs", docs, include_in_schema=False)


def page(document: _Json) -> str:
    """Write the page for an OpenAPI document."""
    info = document["info"]
    body = "".join((*_operations(document), "<h2>Schemas</h2>", *_schemas(document["components"]["schemas"])))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style><h1>{escape(info['title'])}</h1>"
        f"<p>{_prose(info['description'])} Machines read <a href='openapi.json'>openapi.json</a>; send "
        f"<code>Authorization: Bearer &lt;token&gt;</code>.</p>{body}</html>"
    )


def _operations(document: _Json) -> Iterator[str]:
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault(operation.get("tags", ["other"])[0], []).append(_operation(method, path, operation))
    for tag, operations in by_tag.items():
        yield f"<h2>{escape(tag.capitalize())}</h2>{''.join(operations)}"


def _operation(method: str, path: str, operation: _Json) -> str:
    parts = [_prose(operation.get("description", ""))]
    if parameters := operation.get("parameters"):
        parts.append(_table((p["name"], _type(p["schema"]), p.get("description", p["in"])) for p in parameters))
    for media, body in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<p>Body: {_type(body.get('schema', {}))} <code>{escape(media)}</code></p>")
        parts += [_example(each) for each in body.get("examples", {}).values()]
    answers = operation["responses"].items()
    parts.append(_table((status, _answer(said), said["description"]) for status, said in answers))
    title = f"<b>{method.upper()}</b>{escape(path)} <span>{_prose(operation.get('summary', ''))}</span>"
    return f"<details><summary>{title}</summary>{''.join(parts)}</details>"


def _example(example: _Json) -> str:
    return f"<p>{_prose(example.get('summary', 'For example:'))}</p>{_json(example['value'])}"


def _answer(said: _Json) -> str:
    bodies = said.get("content", {}).items()
    return " or ".join(_type(body["schema"]) if "schema" in body else escape(media) for media, body in bodies)


def _schemas(schemas: _Json) -> Iterator[str]:
    for name, schema in sorted(schemas.items()):
        needed = schema.get("required", ())
        rows = [
            (field + ("" if field in needed else " ?"), _type(kind), kind.get("description", ""))
            for field, kind in schema.get("properties", {}).items()
        ]
        values = ", ".join(map(str, schema.get("enum", ())))
        text = _prose(schema.get("description", "")) + (f"<p>{escape(values)}</p>" if values else "")
        yield f'<details id="{escape(name)}" open><summary>{escape(name)}</summary>{text}{_table(rows)}</details>'


def _type(schema: _Json) -> str:
    """Name a type in HTML; a schema of our own is a link."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return escape(" | ".join(map(str, schema.get("enum") or [schema["const"]])))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return escape(schema.get("format") or schema.get("type") or "any")


def _table(rows: Any) -> str:
    lines = (f"<tr><td><code>{escape(name)}</code><td>{kind}<td>{_prose(text)}" for name, kind, text in rows)
    return f"<table>{''.join(lines)}</table>"


def _json(value: object) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2))}</pre>"


def _prose(text: str) -> str:
    """Write text in HTML; what stands in backticks is code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
