"""A handler's parameters as the body of a request: a JSON object with a key for each of them.

What they may be is what the handler's annotations say, checked by pydantic before a job arrives.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from typing import Annotated, Any, get_origin, get_type_hints

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    PydanticSchemaGenerationError,
    WithJsonSchema,
    create_model,
)
from pydantic.errors import PydanticUserError
from pydantic_core import ValidationError

POSITIONAL = inspect.Parameter.POSITIONAL_ONLY
MANY = 100  # faults of one body that are told one by one
_REFUSED: dict[Any, str] = {
    inspect.Parameter.VAR_POSITIONAL: "*",
    inspect.Parameter.VAR_KEYWORD: "**",
}


class Invalid(ValueError):
    """A body that the handler cannot take.

    Args:
        faults: a `where` and a `what` for each.
    """

    def __init__(self, faults: list[dict[str, str]]) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{fault['where']}: {fault['what']}" for fault in faults))


class Parameters:
    """Reads bodies into the arguments of one handler.

    Args:
        function: the handler; a method is without its `self`.
        name: what it is called in messages.

    Raises:
        TypeError: it has parameters that a JSON object cannot name, or of types unknown to pydantic.
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self._taken = [_checked(p, name) for p in inspect.signature(function).parameters.values()]
        self._name = name
        hints = hints_of(function)
        fields: dict[str, Any] = {
            f"p{number}": (
                _readable(hints.get(p.name, Any)),
                Field(... if p.default is p.empty else p.default, alias=p.name),
            )
            for number, p in enumerate(self._taken)
        }
        config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
        try:
            self.model: type[BaseModel] = create_model("Body", __config__=config, **fields)
        except (PydanticSchemaGenerationError, PydanticUserError, NameError) as why:
            raise TypeError(f"the annotations of {name} cannot be served: {why}") from why
        self._validator = self.model.__pydantic_validator__

    @property
    def only(self) -> str | None:
        """The parameter that takes a body which is no JSON, if there is just one."""
        required = [p for p in self._taken if p.default is p.empty] or self._taken
        return required[0].name if len(required) == 1 else None

    def from_json(self, body: bytes) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments that a JSON object names.

        Raises:
            Invalid: it is no JSON object, or not one that the handler takes.
        """
        try:
            return self._arguments(self._validator.validate_json(body or b"{}"))
        except ValidationError as wrong:
            raise Invalid(_faults(wrong)) from None

    def from_value(self, value: Any) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments for a body that is one value: bytes, or an array.

        Raises:
            Invalid: the handler takes more than one, or none of that type.
        """
        if self.only is None:
            raise Invalid([{"where": "body", "what": f"{self._name} takes a JSON object"}])
        try:
            return self._arguments(self._validator.validate_python({self.only: value}))
        except ValidationError as wrong:
            raise Invalid(_faults(wrong)) from None

    def _arguments(self, valid: Any) -> tuple[list[Any], dict[str, Any]]:
        values = zip(self._taken, valid.__dict__.values(), strict=True)
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for parameter, value in values:
            if parameter.kind is POSITIONAL:
                args.append(value)
            else:
                kwargs[parameter.name] = value
        return args, kwargs


def _checked(parameter: inspect.Parameter, name: str) -> inspect.Parameter:
    if stars := _REFUSED.get(parameter.kind):
        raise TypeError(
            f"{name} takes {stars}{parameter.name}, which no key of a JSON object can name: "
            "serve a function whose parameters have names"
        )
    return parameter


def hints_of(function: Any) -> dict[str, Any]:
    """Return the annotations of a handler as types; none where they cannot be had."""
    while isinstance(function, functools.partial):
        function = function.func
    seen = function if inspect.isroutine(function) else type(function).__call__
    try:
        return get_type_hints(inspect.unwrap(seen), include_extras=True)
    except (NameError, TypeError):  # of names that exist for type checkers alone
        return {}


def _readable(hint: Any) -> Any:
    """Have a numpy array read from lists as well."""
    kind = get_origin(hint) or hint
    if (getattr(kind, "__module__", ""), getattr(kind, "__name__", "")) != ("numpy", "ndarray"):
        return hint
    return Annotated[Any, PlainValidator(_as_array), WithJsonSchema({"type": "array"})]


def _as_array(value: Any) -> Any:
    import numpy as np

    array = np.asarray(value)
    if array.dtype == object:
        raise ValueError("an array of numbers is wanted")
    return array


def _faults(wrong: ValidationError) -> list[dict[str, str]]:
    if (count := wrong.error_count()) > MANY:
        return [{"where": "body", "what": f"{count} faults"}]
    return [
        {"where": ".".join(map(str, fault["loc"]))[:MANY] or "body", "what": fault["msg"]}
        for fault in json.loads(
            wrong.json(include_url=False, include_context=False, include_input=False)
        )
    ]
