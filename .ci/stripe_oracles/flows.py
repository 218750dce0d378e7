"""Drives the flows of flows.json with stripe-python, verifies every webhook with its construct_event, and leaves the
twin's end state in a file. Usage: python flows.py TWIN_URL OUTPUT_FILE
"""

import json
import re
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from functools import reduce
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import stripe

SECRETS = ["whsec_old", "whsec_new"]
base, output = sys.argv[1:3]
client = stripe.StripeClient("sk_test_oracle", base_addresses={"api": base}, max_network_retries=0)
problems: list[str] = []
received: list[str] = []


def look(value, path):
    for name in path.split("."):
        try:
            value = value[int(name)] if isinstance(value, list) else value[name]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def fill(template, saved):
    if isinstance(template, str):
        return re.sub(r"\$\{([^}]+)\}", lambda found: str(look(saved, found[1])), template)
    if isinstance(template, list):
        return [fill(item, saved) for item in template]
    if isinstance(template, dict):
        return {name: fill(value, saved) for name, value in template.items()}
    return template


def control(path, body=None):
    request = urllib.request.Request(f"{base}/_twin/{path}", data=json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


class StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def open_page(url, form):
    opener = urllib.request.build_opener(StayHere)
    try:
        answer = opener.open(url, data=urllib.parse.urlencode(form).encode())
    except urllib.error.HTTPError as error:
        answer = error
    return {"status": answer.status, "location": answer.headers.get("location")}


def call(step):
    method = reduce(getattr, step["call"].split("."), client.v1)
    given = step.get("options", {})
    options = {name: given[name] for name in ("idempotency_key", "stripe_account") if name in given}
    options["max_network_retries"] = given.get("retries", 0)
    return json.loads(str(method(*step.get("ids", []), params=step.get("params", {}), options=options)))


def run(step):
    if "control" in step:
        return control(step["control"], step["body"])
    if "open" in step:
        return open_page(step["open"], step["form"])
    return call(step)


def compare(where, expected, actual):
    for path, value in expected.items():
        found = look(actual, path)
        if found != value:
            problems.append(f"{where}: {path} is {found!r} instead of {value!r}")


def flow(name, steps):
    saved = {}
    for number, template in enumerate(steps, 1):
        step, where = fill(template, saved), f"{name}, step {number}"
        try:
            value = run(step)
        except stripe.StripeError as error:
            body = (error.json_body or {}).get("error", {})
            if "error" not in step:
                problems.append(f"{where}: {error}")
                return
            compare(where, step["error"], {**body, "status": error.http_status})
            if not error.request_id:
                problems.append(f"{where}: the error has no request id")
            continue
        if "error" in step:
            problems.append(f"{where}: succeeded instead of {step['error']}")
        if "as" in step:
            saved[step["as"]] = value
        compare(where, step.get("expect", {}), value)
    control("webhooks/deliver")


def verify(body, header):
    """Every delivery must pass with either secret, and fail with another or with a changed body."""
    event = client.construct_event(body, header, SECRETS[0])
    client.construct_event(body, header, SECRETS[1])
    changed = body.replace('"livemode": false', '"livemode": true')
    for forged, secret in ((body, "whsec_other"), (changed, SECRETS[0])):
        try:
            client.construct_event(forged, header, secret)
        except stripe.SignatureVerificationError:
            continue
        problems.append(f"{event.id}: a forged webhook was accepted")
    received.append(event.id)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        try:
            verify(body, self.headers["stripe-signature"])
        except (ValueError, stripe.StripeError) as error:
            problems.append(f"webhook: {error}")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    control("webhooks/plan", {"automatic": False, "signature_time": "wall"})
    url = f"http://127.0.0.1:{receiver.server_port}/"
    control("webhooks/endpoints", [{"url": url, "secrets": SECRETS}])
    flows = json.loads(Path(__file__).with_name("flows.json").read_text())
    for each in flows:
        flow(each["name"], each["steps"])
    dump = control("dump")
    events = [event["id"] for event in dump["objects"]["event"]]
    if events != received:
        problems.append(f"{len(received)} webhooks were received for {len(events)} events, or in another order")
    Path(output).write_text(json.dumps({"dump": dump, "requests": control("requests")}))
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"stripe-python: {len(flows)} flows, {len(received)} webhooks verified, {len(problems)} problems")
    return 1 if problems else 0


sys.exit(main())
