"""Checks recorded requests against the provider's published service models.

Goes in: a file of JSON lines, one request each: service, operation, parameters (query protocol) or json.
Comes out: every parameter that the model does not know, every value of a wrong type or outside its enumeration, and
every required member that is missing; exit code 1 when there is any.
"""

import json
import re
import sys
from collections import Counter

import botocore.session
from botocore.validate import ParamValidator

SESSION = botocore.session.get_session()
MODELS = {}


def model(service):
    if service not in MODELS:
        MODELS[service] = SESSION.get_service_model(service)
    return MODELS[service]


def walk(shape, prefix, known, required):
    """All legal flat names of a shape, as patterns; and the required ones at this level."""
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            wire = member.serialization.get("name", name)
            wire = member.serialization.get("queryName", wire)
            path = f"{prefix}.{wire}" if prefix else wire
            walk(member, path, known, required)
            if not prefix and name in shape.required_members:
                required.append(path)
    elif shape.type_name == "list":
        if shape.serialization.get("flattened"):
            walk(shape.member, prefix + ".N", known, required)
        else:
            item = shape.member.serialization.get("name", "member")
            walk(shape.member, f"{prefix}.{item}.N", known, required)
    else:
        known[re.compile("^" + re.escape(prefix).replace(r"\.N", r"\.[0-9]+") + "$")] = shape


def wrong_value(shape, text):
    if shape.type_name in ("integer", "long"):
        if not re.fullmatch(r"-?[0-9]+", text):
            return f"{text!r} is no integer"
    elif shape.type_name in ("double", "float"):
        try:
            float(text)
        except ValueError:
            return f"{text!r} is no number"
    elif shape.type_name == "boolean":
        if text not in ("true", "false"):
            return f"{text!r} is neither true nor false"
    elif getattr(shape, "enum", None) and text not in shape.enum:
        return f"{text!r} is none of {shape.enum}"
    return None


def query_problems(operation, parameters):
    known, required = {}, []
    if operation.input_shape is not None:
        walk(operation.input_shape, "", known, required)
    for key, text in parameters.items():
        shape = next((shape for pattern, shape in known.items() if pattern.match(key)), None)
        if shape is None:
            # A list that is set and empty is written as its bare name.
            if text == "" and any(pattern.pattern.startswith("^" + re.escape(key)) for pattern in known):
                continue
            yield f"{key} is not in the model"
        elif problem := wrong_value(shape, text):
            yield f"{key}: {problem}"
    for path in required:
        if not any(key == path or key.startswith(path + ".") for key in parameters):
            yield f"{path} is required and missing"


def json_problems(operation, body):
    report = ParamValidator().validate(body, operation.input_shape)
    if report.has_errors():
        yield report.generate_report()


# Members that the field-by-field requests of the law leave out on purpose: one field is set alone there. The requests
# with all fields carry them.
ALONE = "is required and missing"


def main(path):
    problems, seen, whole = Counter(), Counter(), {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            request = json.loads(line)
            service, name = request["service"], request["operation"]
            operation = model(service).operation_model(name)
            seen[f"{service}.{name}"] += 1
            if request["json"] is not None:
                found = list(json_problems(operation, request["json"]))
            else:
                found = list(query_problems(operation, request["parameters"]))
            missing = [one for one in found if ALONE in one or "Missing required" in one]
            for one in found:
                if one not in missing:
                    problems[f"{service}.{name}: {one}"] += 1
            key = f"{service}.{name}"
            whole[key] = min(whole.get(key, missing), missing, key=len)
    for key, missing in whole.items():
        for one in missing:
            problems[f"{key}: {one}, in every request"] += 1
    for problem, count in sorted(problems.items()):
        print(f"{count:4} x {problem}")
    print(f"{sum(seen.values())} requests of {len(seen)} operations, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
