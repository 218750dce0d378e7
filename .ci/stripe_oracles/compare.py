"""Compares the end states that two SDKs left: every object, every balance, every request with its parameters.
Usage: python compare.py LEFT RIGHT
"""

import json
import sys
from pathlib import Path


def normalized(path):
    state = json.loads(Path(path).read_text())
    for name in ("answers", "calls"):
        state.pop(name, None)
    for event in state["dump"]["objects"]["event"]:
        # SDKs make up keys of their own for requests that may be retried, and name the API version they speak.
        event["request"]["idempotency_key"] = None
    for request in state["requests"]:
        request["idempotency_key"] = None
    return state


def differences(left, right, path=""):
    if isinstance(left, dict) and isinstance(right, dict):
        for name in sorted(left.keys() | right.keys()):
            yield from differences(left.get(name), right.get(name), f"{path}.{name}")
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, pair in enumerate(zip(left, right)):
            yield from differences(*pair, f"{path}[{index}]")
    elif left != right:
        yield f"{path}: {json.dumps(left)[:200]} and {json.dumps(right)[:200]}"


left, right = (normalized(path) for path in sys.argv[1:3])
found = list(differences(left, right))
for line in found[:20]:
    print(line, file=sys.stderr)
objects = sum(len(kind) for kind in left["dump"]["objects"].values())
print(f"end states: {objects} objects and {len(left['requests'])} requests compared, {len(found)} differences")
sys.exit(1 if found else 0)
