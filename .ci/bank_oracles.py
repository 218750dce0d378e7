"""Compares our reading of a statement with that of mt-940: bank_oracles.py MT940_FILE OUR_JSON_LINES full|basic."""

import json
import sys
from decimal import Decimal

import mt940


def theirs(path):
    """Lines as mt-940 reads them; it keeps values that were not given as filler."""
    with open(path, "rb") as file:
        text = file.read().decode("latin-1")
    for transaction in mt940.parse(text):
        data = transaction.data
        reference = data.get("bank_reference")
        # Structured texts are split by mt-940 only in the German way.
        text = data.get("purpose") or data.get("transaction_details") or ""
        yield {
            "currency": data["amount"].currency,
            "amount": data["amount"].amount,
            "value_date": str(data["date"]),
            "booking_date": str(data.get("guessed_entry_date") or data["date"]),
            "bank_reference": reference or None,
            "end_to_end_id": data.get("end_to_end_reference"),
            "text": "".join(text.split()),
        }


def ours(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def differences(their_line, our_line, depth):
    amount = Decimal(our_line["amount_minor"]).scaleb(-our_line["exponent"])
    pairs = [
        ("amount", their_line["amount"], amount),
        ("currency", their_line["currency"], our_line["currency"]),
        ("value_date", their_line["value_date"], our_line["value_date"]),
        ("booking_date", their_line["booking_date"], our_line["booking_date"]),
    ]
    if depth == "full":
        pairs.append(("bank_reference", their_line["bank_reference"], our_line["bank_reference"]))
        if their_line["end_to_end_id"]:
            pairs.append(("end_to_end_id", their_line["end_to_end_id"], our_line["end_to_end_id"]))
    # The last text of a message runs into the envelope in mt-940, so ours has to be its beginning; slash codes it
    # does not split, so there ours has to be a part of it.
    text = "".join((our_line["remittance"] or "").split())
    if text not in their_line["text"]:
        pairs.append(("text", their_line["text"], text))
    return [f"{name}: theirs {a!r}, ours {b!r}" for name, a, b in pairs if a != b]


def compare(their_lines, our_lines, depth):
    findings = []
    if len(their_lines) != len(our_lines):
        findings.append(f"{len(their_lines)} lines in theirs, {len(our_lines)} in ours")
    for number, (a, b) in enumerate(zip(their_lines, our_lines), start=1):
        findings.extend(f"line {number}: {difference}" for difference in differences(a, b, depth))
    return findings


def main():
    mt940_path, our_path, depth = sys.argv[1:]
    their_lines, our_lines = list(theirs(mt940_path)), ours(our_path)
    findings = compare(their_lines, our_lines, depth)
    # A comparison that can't fail shows nothing: each of these changes has to be found.
    for field, value in [("amount_minor", our_lines[0]["amount_minor"] + 1), ("value_date", "1999-01-01"), ("remittance", "#")]:
        changed = [{**our_lines[0], field: value}, *our_lines[1:]]
        if len(compare(their_lines, changed, depth)) != len(findings) + 1:
            findings.append(f"a changed {field} was not noticed")
    for finding in findings:
        print(f"{mt940_path}: {finding}", file=sys.stderr)
    print(f"{mt940_path}: {len(our_lines)} lines, {len(findings)} findings")
    sys.exit(1 if findings else 0)


main()
