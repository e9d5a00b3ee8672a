"""Show the node pools."""

from fastapi import APIRouter, Response

from gateway.api.answers import as_json
from gateway.api.caller import Caller, ServicesHere, SignedInRoute
from gateway.api.openapi import problems
from gateway.jobs.pools import list_pools
from gateway.wire import NodePoolList

router = APIRouter(route_class=SignedInRoute, responses=problems())


@router.get("/v1/nodepools", response_model=NodePoolList, tags=["pools"], summary="List the node pools")
def nodepools(services: ServicesHere, _: Caller) -> Response:
    return as_json(list_pools(services))
