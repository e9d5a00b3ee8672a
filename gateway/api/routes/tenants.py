"""Administer tenants, users and tokens."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from gateway.api.answers import Listing, as_json
from gateway.api.caller import Caller, ServicesHere, SignedInRoute
from gateway.api.examples import TENANT_REQUESTS, TOKEN, TOKEN_REQUESTS, USER_REQUESTS
from gateway.api.openapi import problems, success
from gateway.auth import tenants
from gateway.wire import TenantRequest, TenantView, TokenRequest, TokenView, UserRequest, UserView, WhoAmI

router = APIRouter(route_class=SignedInRoute, tags=["tenants"])

_MAKE = problems(403, 404, 409, body=True)
_LIST = problems(403, 404)


@router.get("/v1/whoami", response_model=WhoAmI, responses=problems(), summary="Say whose token this is")
async def whoami(principal: Caller) -> Response:
    return as_json(
        WhoAmI(
            tenant=principal.tenant,
            user=principal.user,
            role=principal.role,
            token_id=principal.token_id,
            expires_at=principal.expires_at,
        )
    )


@router.post("/v1/tenants", status_code=201, response_model=TenantView, responses=_MAKE, summary="Add a tenant")
def create_tenant(
    request: Annotated[TenantRequest, Body(openapi_examples=TENANT_REQUESTS)], services: ServicesHere, principal: Caller
) -> Response:
    return as_json(tenants.create_tenant(services.database, principal, request), 201)


@router.get("/v1/tenants", response_model=Listing[TenantView], responses=_LIST, summary="List the tenants one may see")
def list_tenants(services: ServicesHere, principal: Caller) -> Response:
    return as_json(Listing(items=tuple(tenants.list_tenants(services.database, principal))))


@router.post(
    "/v1/tenants/{tenant}/users", status_code=201, response_model=UserView, responses=_MAKE, summary="Add a user"
)
def create_user(
    tenant: str,
    request: Annotated[UserRequest, Body(openapi_examples=USER_REQUESTS)],
    services: ServicesHere,
    principal: Caller,
) -> Response:
    return as_json(tenants.create_user(services.database, principal, tenant, request), 201)


@router.get(
    "/v1/tenants/{tenant}/users", response_model=Listing[UserView], responses=_LIST, summary="List a tenant's users"
)
def list_users(tenant: str, services: ServicesHere, principal: Caller) -> Response:
    return as_json(Listing(items=tuple(tenants.list_users(services.database, principal, tenant))))


@router.post(
    "/v1/tenants/{tenant}/tokens",
    status_code=201,
    response_model=TokenView,
    responses=_MAKE | success(201, "The only answer that ever holds the token itself.", TOKEN),
    summary="Make a token",
)
def create_token(
    tenant: str,
    request: Annotated[TokenRequest, Body(openapi_examples=TOKEN_REQUESTS)],
    services: ServicesHere,
    principal: Caller,
) -> Response:
    return as_json(tenants.create_token(services.database, principal, tenant, request), 201)


@router.get(
    "/v1/tenants/{tenant}/tokens", response_model=Listing[TokenView], responses=_LIST, summary="List a tenant's tokens"
)
def list_tokens(tenant: str, services: ServicesHere, principal: Caller) -> Response:
    return as_json(Listing(items=tuple(tenants.list_tokens(services.database, principal, tenant))))


@router.delete("/v1/tokens/{token_id}", status_code=204, responses=_LIST, summary="Revoke a token, for ever")
def revoke_token(token_id: str, services: ServicesHere, principal: Caller) -> Response:
    tenants.revoke_token(services.database, principal, token_id)
    return Response(status_code=204)
