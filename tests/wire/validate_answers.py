"""Checks the bodies of the decoding tests against the provider's published service models.

Goes in: a file of JSON lines: service, operation, body; or kind, statuses. Comes out: every element that the model of
the answer does not know, every value of a wrong type or outside its enumeration, and every status word of an
enumeration that we do not know; exit code 1 when there is any.
"""

import json
import sys
import xml.etree.ElementTree as xml

import botocore.session
from botocore.validate import ParamValidator
from validate_requests import wrong_value

SESSION = botocore.session.get_session()
# Kinds whose status is an enumeration in the models: service, shape.
ENUMERATIONS = {
    "redshift.namespace": [("redshift-serverless", "NamespaceStatus")],
    "redshift.workgroup": [("redshift-serverless", "WorkgroupStatus")],
    "redshift.snapshot": [("redshift-serverless", "SnapshotStatus")],
}


def problems_of(element, shape, path):
    if shape.type_name == "structure":
        known = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        for child in element:
            if child.tag not in known:
                yield f"{path}/{child.tag} is not in the model"
                continue
            yield from problems_of(child, known[child.tag], f"{path}/{child.tag}")
    elif shape.type_name == "list":
        name = shape.member.serialization.get("name", "member")
        for child in element:
            if child.tag != name:
                yield f"{path}: an item is {name} and not {child.tag}"
                continue
            yield from problems_of(child, shape.member, f"{path}/{name}")
    elif len(element):
        yield f"{path} is {shape.type_name} and has elements in it"
    elif shape.type_name != "timestamp" and (problem := wrong_value(shape, element.text or "")):
        yield f"{path}: {problem}"


def answer_problems(service, operation, body):
    model = SESSION.get_service_model(service).operation_model(operation)
    if body.startswith("{"):
        report = ParamValidator().validate(json.loads(body), model.output_shape)
        if report.has_errors():
            yield report.generate_report()
        return
    result = xml.fromstring(body).find(f"{operation}Result")
    yield from problems_of(result, model.output_shape, operation)


def status_problems(kind, words):
    for service, shape in ENUMERATIONS.get(kind, []):
        for word in SESSION.get_service_model(service).shape_for(shape).enum:
            if word not in words:
                yield f"{kind}: the status {word} of {service} is not known to us"


def main(path):
    problems, answers, kinds = set(), 0, 0
    with open(path, encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            if "kind" in line:
                kinds += 1
                problems.update(status_problems(line["kind"], line["statuses"]))
                continue
            answers += 1
            for problem in answer_problems(line["service"], line["operation"], line["body"]):
                problems.add(f"{line['service']}.{problem}")
    for problem in sorted(problems):
        print(problem)
    print(f"{answers} answers, status words of {kinds} kinds, {len(problems)} problems")
    return 1 if problems or not answers or not kinds else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
