"""The reference of settings, made from their model: the JSON Schema that pydantic derives from it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.settings import SERVICE_SECRETS, TEAM_SECRETS, StackSettings
from documentation.markdown import code, table

Schema = Mapping[str, Any]
# How a default that there is not is told from one that is null.
REQUIRED = object()
HEAD = """\
# Settings

<!-- Made by `python -m documentation` from components/settings. Do not edit. -->

All settings of a stack, with their defaults and limits. They stand in `Pulumi.STACK.yaml` below `config:`,
one object a component, and only what differs from the default has to stand there:

```yaml
config:
  medianest:backend:
    replicas: 2
    limits: {memory_mb: 1024}
```

An unknown or mistyped setting is an error before anything is made. A group, whose name ends with `:`, is an
object. In names, `NAME` is a key of your choice and `[]` an entry of a list.
"""
SECRETS = """\
## Secrets

A secret is a key of its own, `medianest:NAME`, and only accepted encrypted:
`pulumi config set --secret NAME -s STACK`. What the stack makes itself need not be set. Beside these there
are those that `backend.secrets` declares. How they are kept and rotated: [secrets.md](../secrets.md).
"""
SECRETS_TOLD = {
    "alert_webhook_url": "Where Alertmanager and the guardian tell the team.",
    "backup_key": "Encrypts backups. Keep a copy elsewhere.",
    "dashboard_password": "What people log in to the dashboard with, where it is published.",
    "guardian_token": "By which the guardian is known to backends, and Alertmanager to it.",
    "postgres_monitoring_password": "Of the exporter's account in Postgres.",
    "postgres_password": "Of the backends' accounts in Postgres.",
    "redis_monitoring_password": "Of the exporter's account in Redis.",
    "redis_password": "Of the backends' accounts in Redis.",
    "smtp_password": "Of the account that sends e-mails, where `monitoring.email.user` is set.",
    "watchdog_webhook_url": "Called every half minute for as long as alerts get through.",
}


@dataclass(frozen=True)
class Setting:
    """One row: a setting, or a group of them (`kind` is empty)."""

    path: str
    kind: str
    default: str
    description: str


def settings_page() -> str:
    """The whole page. Raises LookupError where a setting has no description."""
    schema = StackSettings.model_json_schema()
    parts = [HEAD]
    for key, field in schema["properties"].items():
        if StackSettings.model_fields[key].exclude:
            continue
        component, rows = f"medianest:{key}", list(settings(schema, key, field))
        undescribed = [row.path for row in rows if not row.description]
        if undescribed:
            raise LookupError(f"no description: {', '.join(undescribed)}")
        lines = [(code(row.path), row.kind, row.default, row.description) for row in rows[1:]]
        body = table(("setting", "takes", "default", "what it is"), lines) if lines else ""
        head = rows[0].description if lines else f"{rows[0].kind}. {rows[0].description}"
        parts.append(f"## {component}\n\n{head}\n\n{body}".rstrip() + "\n")
    return "\n".join([*parts, SECRETS, table(("secret", "made by", "what it is"), secrets())]) + "\n"


def settings(schema: Schema, path: str, field: Schema, default: object = REQUIRED) -> Iterator[Setting]:
    """A setting and all below it. A default of an outer object goes before that of the inner one."""
    if default is REQUIRED:
        default = field.get("default", REQUIRED)
    inner, suffix = innermost(schema, field)
    shown = "required" if default is REQUIRED else code(json.dumps(plain(default), ensure_ascii=False))
    model = "properties" in inner
    description = str(field.get("description") or (inner.get("description") if model else "") or "")
    if not model:
        yield Setting(path, takes(schema, field), shown, description)
        return
    group = isinstance(default, dict) and not suffix
    yield Setting(f"{path}:", takes(schema, field) if suffix else "", "" if group else shown, description)
    if "." in path and inner in components(schema):
        return
    for name, child in inner["properties"].items():
        value = default.get(name, REQUIRED) if group and isinstance(default, dict) else REQUIRED
        yield from settings(schema, f"{path}{suffix}.{name}", child, value)


def components(schema: Schema) -> list[Schema]:
    """The models of whole components, which are told of once, where they are components."""
    return [innermost(schema, field)[0] for field in schema["properties"].values()]


def plain(value: object) -> object:
    """Numbers as people write them: 2, not 2.0."""
    match value:
        case dict():
            return {name: plain(inner) for name, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case float() if value.is_integer():
            return int(value)
    return value


def innermost(schema: Schema, field: Schema) -> tuple[Schema, str]:
    """What a field is about, and how an entry of it is written: of lists, mappings and null or something."""
    if "$ref" in field:
        return schema["$defs"][field["$ref"].rsplit("/", 1)[1]], ""
    if "anyOf" in field:
        (some,) = (option for option in field["anyOf"] if option.get("type") != "null")
        return innermost(schema, some)
    if field.get("type") == "array":
        inner, suffix = innermost(schema, field["items"])
        return inner, f"[]{suffix}"
    if field.get("type") == "object":
        inner, suffix = innermost(schema, values(field))
        return inner, f".NAME{suffix}"
    return field, ""


def values(field: Schema) -> Schema:
    """What a mapping has for each name."""
    if "patternProperties" in field:
        (value,) = field["patternProperties"].values()
        return dict(value)
    return dict(field["additionalProperties"])


def takes(schema: Schema, field: Schema) -> str:
    """What may stand there, in words."""
    if "anyOf" in field:
        return " or ".join("null" if o.get("type") == "null" else takes(schema, o) for o in field["anyOf"])
    if "$ref" in field:
        return "object"
    if "enum" in field:
        return " or ".join(code(value) for value in field["enum"])
    match field.get("type"):
        case "array":
            return f"list of {takes(schema, field['items'])}"
        case "object":
            return f"by name, {takes(schema, values(field))}"
        case "boolean":
            return "true or false"
        case "string":
            # A table has no way to write the | of a pattern.
            pattern = field.get("pattern", "")
            return f"text like {code(pattern)}" if pattern and "|" not in pattern else "text"
        case kind:
            return ", ".join(["whole number" if kind == "integer" else "number", *bounds(field)])


def bounds(field: Schema) -> list[str]:
    """The limits of a number, in words."""
    if "minimum" in field and "maximum" in field:
        return [f"{field['minimum']:g} to {field['maximum']:g}"]
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    told = [f"{word} {field[key]:g}" for key, word in words.items() if key in field]
    return [*told, *([f"a multiple of {field['multipleOf']:g}"] if "multipleOf" in field else [])]


def secrets() -> list[tuple[str, str, str]]:
    """The secrets that every stack knows. Raises LookupError where one is not described."""
    if SECRETS_TOLD.keys() != TEAM_SECRETS | SERVICE_SECRETS.keys():
        raise LookupError("documentation/settings.py describes other secrets than there are")
    return [
        (code(name), "the team alone" if name in TEAM_SECRETS else "the stack, unless set", told)
        for name, told in sorted(SECRETS_TOLD.items())
    ]
