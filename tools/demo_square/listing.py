"""The shape of one entry of `square.json`, and small makers of offers."""

import re

FREE = [{"kind": "free"}]
COMMAS = {"zh-Hant": "\uff0c", "ja": "\u3001"}
WIDE = str.maketrans("():;", "\uff08\uff09\uff1a\uff1b")


def one_off(price_minor, currency, commercial, approval_required=False):
    """A single purchase; `price_minor` counts the currency's smallest unit (JPY has no decimals)."""
    return {
        "kind": "one_off",
        "price_minor": price_minor,
        "currency": currency,
        "approval_required": approval_required,
        "licence": {"commercial": commercial},
    }


def subscription(term_months, price_minor, currency, commercial, approval_required=False):
    """A prepaid term of `term_months`."""
    return {
        "kind": "subscription",
        "term_months": term_months,
        "price_minor": price_minor,
        "currency": currency,
        "approval_required": approval_required,
        "licence": {"commercial": commercial},
    }


def listing(
    provider,
    title,
    summary,
    theme,
    tags,
    files,
    *,
    place,
    use_cases,
    licence=None,
    offers=FREE,
    bbox=None,
    temporal=None,
    update_frequency="never",
):
    """Puts one listing together. `licence` is the open licence of free data; priced data has it per offer."""
    return {
        "provider": provider,
        "title": _typeset(title),
        "summary": _typeset(summary),
        "theme": theme,
        "tags": tags,
        "place": place,
        "bbox": bbox,
        "temporal": {"from": temporal[0], "to": temporal[1]} if temporal else None,
        "update_frequency": update_frequency,
        "use_cases": use_cases,
        "personal_data": "none",
        "files": files,
        "licence": licence,
        "offers": offers,
    }


def _typeset(texts):
    """Gives Chinese and Japanese the full-width punctuation they are printed with; clock times and numbers stay."""
    return {language: _widen(text, language) if language in COMMAS else text for language, text in texts.items()}


def _widen(text, language):
    text = re.sub(r"(?<!\d),|,(?!\d{3}(?!\d))", COMMAS[language], text)
    return re.sub(r"[();]|:(?!\d\d)", lambda match: match.group().translate(WIDE), text)
