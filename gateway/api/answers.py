"""Write models as JSON answers without validating them a second time."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from fastapi import Response
from pydantic import BaseModel, ConfigDict

Item = TypeVar("Item")


class Listing(BaseModel, Generic[Item]):
    """A list that is short enough to come as a whole."""

    model_config = ConfigDict(frozen=True)

    items: tuple[Item, ...]


def as_json(model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a model. FastAPI would validate and convert once more what was built from a view a moment ago."""
    return Response(model.model_dump_json(), status, headers, "application/json")
