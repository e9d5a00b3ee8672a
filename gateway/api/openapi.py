"""Describe for OpenAPI what a route answers: its good answer, and the problem documents."""

import ast
import inspect
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any, Final

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from gateway import wire
from gateway.api.problem import MEDIA_TYPE
from gateway.wire import Problem

_SAID: Final = {
    400: "The body is not JSON.",
    401: "No token, or one that is wrong, revoked or expired.",
    403: "This token may not do that.",
    404: "There is no such thing, or it is another tenant's.",
    409: "Its state does not allow this, or the same request is being worked on (`Retry-After`).",
    413: "The body is larger than the limit.",
    415: "The body is not declared as JSON.",
    422: "A field or a line is not valid; `errors` says which, and what to do.",
    503: "The cluster does not answer, or too many logs are followed (`Retry-After`).",
}
_BODY: Final = (400, 413, 415)
_PROBLEM: Final = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}

Responses = dict[int | str, dict[str, Any]]


def problems(*statuses: int, body: bool = False) -> Responses:
    """Say which problem documents a signed-in route answers with, beside the ones that all of them have."""
    every = sorted({401, 422, *statuses, *(_BODY if body else ())})
    return {status: {"description": _SAID[status], "content": _PROBLEM} for status in every}


def success(status: int, description: str, example: dict[str, Any]) -> Responses:
    """Give the good answer an example."""
    return {status: {"description": description, "content": {"application/json": {"example": example}}}}


def describe(app: FastAPI) -> None:
    """Add the schema of problem documents, which no route returns by itself, and what the code says of each field."""
    generate: Callable[[], dict[str, Any]] = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        _, extra = models_json_schema([(Problem, "serialization")], ref_template="#/components/schemas/{model}")
        schemas = document["components"]["schemas"]
        schemas.update(extra["$defs"])
        for model, sentences in _field_docs().items():
            for name, field in schemas.get(model, {}).get("properties", {}).items():
                if name in sentences:
                    field.setdefault("description", sentences[name])
        return document

    # FastAPI's own recipe for extending the document.
    app.openapi = openapi  # type: ignore[method-assign]


@cache
def _field_docs() -> dict[str, dict[str, str]]:
    """Read the docstrings below the fields of the wire models, by model and field's name on the wire.

    Pydantic could do it, when the models are made; that would cost every start of the command line.
    """
    found: dict[str, dict[str, str]] = {}
    for model in ast.parse(inspect.getsource(wire)).body:
        if isinstance(model, ast.ClassDef):
            fields = getattr(wire, model.name).model_fields
            for field, text in pairwise(model.body):
                match field, text:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                        alias = fields[name].alias if name in fields else None
                        found.setdefault(model.name, {})[alias or name] = inspect.cleandoc(said)
    return found
