"""Fills a fresh exchange for generated requests: somebody to act, and things to act on.

Usage: schemathesis_setup.py BASE_URL DIRECTORY. Writes DIRECTORY/credentials, to be sourced by a shell,
and DIRECTORY/ids/KIND, the ids that path parameters are drawn from.
"""

import json
import pathlib
import sys
import urllib.error
import urllib.request
from collections import defaultdict

BASE, DIRECTORY = sys.argv[1], pathlib.Path(sys.argv[2])
PASSWORD = "harbour seagull lamp"
SCOPES = ["read", "catalogue", "buy", "finance", "members"]
# So many of each kind, so that one is left when others are withdrawn, published or deleted.
COPIES = 6

IDS = defaultdict(list)


def send(method, path, body=None, token=None, key=None):
    """Sends a request that must succeed; a body of bytes goes as it is, any other as JSON."""
    headers = {"idempotency-key": key} if key else {}
    if body is not None and not isinstance(body, bytes):
        body, headers["content-type"] = json.dumps(body).encode(), "application/json"
    if token:
        headers["authorization"] = f"Bearer {token}"
    request = urllib.request.Request(BASE + path, body, headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
    except urllib.error.HTTPError as refused:
        sys.exit(f"{method} {path}: {refused.code} {refused.read().decode()}")
    return json.loads(text) if text else None


def note(kind, value):
    """Keeps an id for the generated requests."""
    IDS[kind].append(value)
    return value


def log_in(email):
    """An access token."""
    return send("POST", "/api/v1/sessions", {"email": email, "password": PASSWORD})["access_token"]


def register(name):
    """A new account; returns its access token."""
    email = f"{name}@example.org"
    send("POST", "/api/v1/accounts", {"email": email, "password": PASSWORD, "display_name": name})
    return log_in(email)


def api_key(token, home, name):
    """A new key with every scope."""
    body = {"name": name, "scopes": SCOPES, "expires_in_days": 7}
    return send("POST", f"/api/v1/organizations/{home}/api-keys", body, token)


def publish(key, **offer):
    """A published listing with a file and an offer; returns the offer."""
    listing = draft(key)
    send("PUT", f"/api/v1/revisions/{listing['revision']}/files/bridges.csv", b"name,lanes\nLangebro,6\n", key)
    send("POST", f"/api/v1/revisions/{listing['revision']}/publish", None, key)
    made = send("POST", f"/api/v1/listings/{listing['id']}/offers", offer, key)
    send("POST", f"/api/v1/listings/{listing['id']}/publish", None, key)
    return made


def draft(key):
    """A listing with an open revision that holds a file."""
    body = {
        "title": {"en": "Bridges"}, "summary": {"en": "All bridges of the city."}, "theme": "economy",
        "update_frequency": "daily", "contact": {"name": "Roads", "email": "roads@example.org"},
        "personal_data": "none", "use_cases": ["Plan routes for lorries"], "answer_within_days": 5,
    }
    listing = note("listings", send("POST", "/api/v1/listings", body, key)["id"])
    revision = note("revisions", send("POST", f"/api/v1/listings/{listing}/revisions", {}, key)["id"])
    path = f"/api/v1/revisions/{revision}/files/levels.csv"
    note("files", send("PUT", path, b"station,level\nAsuwa,1.25\n", key)["id"])
    return {"id": listing, "revision": revision}


def order(key, offer, number, **payment):
    """An order of the offer."""
    hash_ = note("licence_hashes", offer["licence"]["hash"])
    body = {"offer_id": offer["id"], "licence_hash": hash_, "use_case": "Routes", **payment}
    made = send("POST", "/api/v1/orders", body, key, f"prepared-{number}")
    note("orders", made["id"])
    return made


def trade(keeper, other):
    """Orders in every state, on both sides of the keeper."""
    approved = publish(keeper, kind="free", licence="CC-BY-4.0", approval_required=True)
    licence = note("licences", send("POST", "/api/v1/licences", {"preset": "internal_use"}, other)["licence"]["id"])
    price = {"minor": 4_900, "currency": "DKK"}
    paid = publish(other, kind="one_off", price=price, licence_id=licence)
    for number in range(COPIES):
        order(other, approved, number)
        order(keeper, paid, f"waiting-{number}")
    for offer in (approved, paid):
        note("offers", offer["id"])
    grant = note("grants", order(keeper, paid, "bought", payment_method="pm_card_visa")["grant_id"])
    files = send("GET", f"/api/v1/grants/{grant}/files", None, keeper)["items"]
    note("links", files[0]["url"].split("/d/")[1].split("/")[0])


def people(token, home):
    """Members, invitations and keys that may go."""
    for number in range(COPIES):
        note("api_keys", api_key(token, home, f"spare {number}")["id"])
        body = {"email": f"guest{number}@example.org", "role": "viewer"}
        invited = send("POST", f"/api/v1/organizations/{home}/invitations", body, token)
        if number % 2:
            note("invitations", invited["id"])
            continue
        guest = register(f"guest{number}")
        send("POST", "/api/v1/invitations/accept", {"token": invited["token"]}, guest)
    for member in send("GET", f"/api/v1/organizations/{home}/members", None, token)["items"]:
        if member["role"] != "owner":
            note("accounts", member["account_id"])


def main():
    """An operator that also lists and buys acts; another organisation stands on the other side."""
    token = log_in("operator@example.org")
    me = send("GET", "/api/v1/accounts/me", None, token)
    home = note("organizations", me["memberships"][0]["organization_id"])
    able = {"country": "DK", "may_provide": True, "may_buy": True, "provider_kind": "company"}
    send("PATCH", f"/api/v1/organizations/{home}", able, token)
    keeper = api_key(token, home, "Generated requests")["secret"]
    stranger = register("lighthouse")
    elsewhere = send("POST", "/api/v1/organizations", {"name": "Lighthouse", **able}, stranger)["id"]
    note("others", elsewhere)
    other = api_key(stranger, elsewhere, "Other side")["secret"]
    trade(keeper, other)
    for _ in range(COPIES):
        offer = publish(keeper, kind="free", licence="CC-BY-4.0")
        note("offers", offer["id"])
        draft(keeper)
        note("licences", send("POST", "/api/v1/licences", {"preset": "internal_use"}, keeper)["licence"]["id"])
    people(token, home)
    note("reconciliations", send("POST", "/api/v1/reconciliations", {}, keeper)["id"])
    (DIRECTORY / "ids").mkdir()
    for kind, values in IDS.items():
        (DIRECTORY / "ids" / kind).write_text("".join(f'"{value}"\n' for value in values))
    # Logging out ends a session: that operation has one of its own.
    credentials = {"TORV_KEY": keeper, "TORV_TOKEN": register("person"), "TORV_ENDING_TOKEN": register("leaver")}
    text = "".join(f"export {name}={value}\n" for name, value in credentials.items())
    (DIRECTORY / "credentials").write_text(text)


main()
