"""The OpenAPI 3.1 document and its page, both from the one table of routes: what is documented is what is checked.

In: routes; out: JSON, and plain HTML without scripts.
"""

import re
from collections.abc import Iterable
from html import escape
from typing import Any, Final

from openapi_pydantic import (
    Components,
    DataType,
    Info,
    MediaType,
    OpenAPI,
    Operation,
    Parameter,
    PathItem,
    RequestBody,
    Response,
    Schema,
    SecurityScheme,
)
from openapi_pydantic.util import PydanticSchema, construct_open_api_with_schema_class
from pydantic import BaseModel

from screen_pop.api.answers import ProblemAnswer
from screen_pop.api.route import ANYONE, Route
from screen_pop.auth import COOKIE

_PATH_PARAMETER: Final = re.compile(r"\{(\w+)\}")


def openapi_document(routes: Iterable[Route], *, version: str) -> dict[str, Any]:
    """The whole API as an OpenAPI 3.1 document."""
    paths: dict[str, dict[str, Operation]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    document = OpenAPI(
        openapi="3.1.0",
        info=Info(title="cti-bridge", version=version, summary="Calls, accounts and live state of a call centre"),
        paths={path: PathItem(**operations) for path, operations in paths.items()},
        components=Components(
            securitySchemes={
                "cookie": SecurityScheme(type="apiKey", name=COOKIE, security_scheme_in="cookie"),
                "bearer": SecurityScheme(type="http", scheme="bearer"),
            }
        ),
    )
    return construct_open_api_with_schema_class(document).model_dump(mode="json", by_alias=True, exclude_none=True)


def docs_page(document: dict[str, Any]) -> str:
    """The document for people: plain HTML, no scripts, no styles."""
    sections = "".join(
        _section(method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    )
    schemas = "".join(
        f"<h3 id='{escape(name)}'>{escape(name)}</h3>{_schema_table(schema)}"
        for name, schema in sorted(document["components"]["schemas"].items())
    )
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>cti-bridge API</title></head><body><main>"
        f"<h1>cti-bridge API {escape(document['info']['version'])}</h1>"
        "<p>The same as a document for programs: <a href='/api/openapi.json'>/api/openapi.json</a></p>"
        f"{sections}<h2>Schemas</h2>{schemas}</main></body></html>"
    )


def _operation(route: Route) -> Operation:
    parameters = [_parameter(name, "path", {"type": "string"}) for name in _PATH_PARAMETER.findall(route.path)]
    parameters += [_parameter(name, "header", {"type": "string"}) for name in route.headers]
    if not route.takes_body:
        schema = route.fields.model_json_schema()
        definitions = schema.get("$defs", {})
        parameters += [
            _parameter(name, "query", _inlined(field, definitions), required=name in schema.get("required", ()))
            for name, field in schema.get("properties", {}).items()
        ]
    return Operation(
        operationId=_operation_id(route),
        summary=route.summary,
        description=_who(route),
        parameters=parameters or None,
        requestBody=RequestBody(content=_content(route.fields), required=True) if route.takes_body else None,
        responses={str(route.status): _success(route), "default": _problem()},
        security=[] if route.roles is ANYONE else [{"cookie": []}, {"bearer": []}],
    )


def _parameter(name: str, where: str, schema: dict[str, Any], *, required: bool = False) -> Parameter:
    return Parameter.model_validate(
        {"name": name, "in": where, "required": required or where == "path", "schema": Schema.model_validate(schema)}
    )


def _inlined(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of one query parameter with its references replaced; they are enums, never recursive."""
    if "$ref" in schema:
        return dict(definitions[schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return {**schema, "anyOf": [_inlined(choice, definitions) for choice in schema["anyOf"]]}
    return schema


def _success(route: Route) -> Response:
    if route.answer is None:
        return Response(description=route.summary)
    if not route.is_list:
        return Response(description=route.summary, content=_content(route.answer))
    page = Schema(
        type=DataType.OBJECT,
        properties={
            "items": Schema(type=DataType.ARRAY, items=PydanticSchema(schema_class=route.answer)),
            "next": Schema(type=[DataType.STRING, DataType.NULL]),
        },
        required=["items", "next"],
    )
    return Response(description=route.summary, content={"application/json": MediaType(media_type_schema=page)})


def _problem() -> Response:
    content = {"application/problem+json": MediaType(media_type_schema=PydanticSchema(schema_class=ProblemAnswer))}
    return Response(description="A refusal or a failure (RFC 9457)", content=content)


def _content(model: type[BaseModel]) -> dict[str, MediaType]:
    return {"application/json": MediaType(media_type_schema=PydanticSchema(schema_class=model))}


def _operation_id(route: Route) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", route.path.removeprefix("/api").lower()).strip("_")
    return f"{route.method.lower()}_{words}"


def _who(route: Route) -> str:
    return "For anyone." if route.roles is ANYONE else f"For: {', '.join(sorted(route.roles))}."


def _section(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(parameter['name'])}</td><td>{escape(parameter['in'])}</td>"
        f"<td>{escape(_type_of(parameter['schema']))}</td></tr>"
        for parameter in operation.get("parameters", ())
    )
    fields = f"<table><tr><th>parameter</th><th>in</th><th>type</th></tr>{rows}</table>" if rows else ""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    body_line = f"<p>Body: {_linked(_type_of(body))}</p>" if body else ""
    answers = "".join(
        f"<li>{escape(status)}: {escape(response['description'])}"
        + "".join(f" ({_linked(_type_of(media['schema']))})" for media in response.get("content", {}).values())
        + "</li>"
        for status, response in operation["responses"].items()
    )
    return (
        f"<section><h2><code>{method} {escape(path)}</code></h2><p>{escape(operation['summary'])}. "
        f"{escape(operation['description'])}</p>{fields}{body_line}<ul>{answers}</ul></section>"
    )


def _schema_table(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return f"<p>One of: {escape(', '.join(map(str, schema['enum'])))}</p>"
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td>{escape(name)}{'' if name in required else '?'}</td><td>{_linked(_type_of(field))}</td></tr>"
        for name, field in schema.get("properties", {}).items()
    )
    return f"<p>{escape(schema.get('description', ''))}</p><table><tr><th>field</th><th>type</th></tr>{rows}</table>"


def _type_of(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(_type_of(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "items" in schema and isinstance(schema["items"], dict):
        return f"list of {_type_of(schema['items'])}"
    if "items" in schema.get("properties", {}):
        return _type_of(schema["properties"]["items"])
    type_ = schema.get("type", "any")
    return " | ".join(type_) if isinstance(type_, list) else str(type_)


def _linked(type_: str) -> str:
    return re.sub(r"\b([A-Z]\w+)", r"<a href='#\1'>\1</a>", escape(type_))
