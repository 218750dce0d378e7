//! `Ntry` to a line.
//!
//! Source: ISO 20022 message definition reports camt.053.001.02 and .08. Version .02 has party, status and BIC one level
//! higher than .08; both places are looked at, so that the versions between are read too.

use time::Date;

use super::tree::Element;
use crate::{
    amount::{Currency, ExponentOf, minor_from_decimal},
    date::iso_date,
    error::{Fault, FaultKind, Position, excerpt},
    limits::DETAILS_MAX,
    record::{LineDetail, LineStatus, PaymentParty},
    reference::CreditorReference,
    statement::LineDraft,
};

/// A fault with the element it was found in.
pub(crate) struct ElementFault {
    pub(crate) fault: Fault,
    pub(crate) path: String,
    pub(crate) position: Position,
}

/// Puts a fault of a value at its element.
pub(crate) fn at<'a>(element: Element<'a>, path: &'a str) -> impl FnOnce(Fault) -> ElementFault + 'a {
    move |fault| ElementFault { fault, path: path.to_owned(), position: element.position() }
}

pub(crate) fn missing(parent: Element<'_>, path: &str) -> ElementFault {
    let fault = Fault::new(FaultKind::Missing, format!("{path} is missing"), "Ask the bank for a complete statement.");
    at(parent, "")(fault)
}

/// Reads an unsigned amount in the currency of the account.
pub(crate) fn amount(parent: Element<'_>, currency: Currency) -> Result<i64, ElementFault> {
    let element = parent.find(&["Amt"]).ok_or_else(|| missing(parent, "Amt"))?;
    if element.currency() != currency.code() {
        let problem =
            format!("the amount is in {}, but the account is in {}", excerpt(element.currency()), currency.code());
        let advice = "Ask the bank to state entries in the currency of the account.";
        return Err(at(element, "Amt")(Fault::new(FaultKind::Currency, problem, advice)));
    }
    minor_from_decimal(element.text(), '.', currency).map_err(at(element, "Amt"))
}

/// Whether money left the account, by `CdtDbtInd`.
pub(crate) fn is_debit(parent: Element<'_>) -> Result<bool, ElementFault> {
    let element = parent.find(&["CdtDbtInd"]).ok_or_else(|| missing(parent, "CdtDbtInd"))?;
    match element.text() {
        "CRDT" => Ok(false),
        "DBIT" => Ok(true),
        other => {
            let problem = format!("{} is no direction", excerpt(other));
            Err(at(element, "CdtDbtInd")(Fault::new(FaultKind::Invalid, problem, "Write CRDT or DBIT.")))
        }
    }
}

pub(crate) fn signed(minor: i64, is_debit: bool) -> i64 {
    if is_debit { -minor } else { minor }
}

/// Reads a choice of `Dt` and `DtTm`.
pub(crate) fn date_choice(parent: Element<'_>, name: &'static str) -> Result<Option<Date>, ElementFault> {
    let Some(choice) = parent.find(&[name]) else { return Ok(None) };
    let Some(element) = choice.find(&["Dt"]).or_else(|| choice.find(&["DtTm"])) else { return Ok(None) };
    iso_date(element.text()).map(Some).map_err(at(element, name))
}

pub(crate) fn read_entry(
    entry: Element<'_>,
    currency: Currency,
    exponent_of: ExponentOf,
) -> Result<LineDraft, ElementFault> {
    let is_debit = is_debit(entry)?;
    let amount_minor = signed(amount(entry, currency)?, is_debit);
    let is_reversal = is_reversal(entry)?;
    // Payer and payee keep their roles when a payment is taken back.
    let we_paid = is_debit != is_reversal;
    let value_date = date_choice(entry, "ValDt")?;
    let booking_date = date_choice(entry, "BookgDt")?.or(value_date).ok_or_else(|| missing(entry, "BookgDt/Dt"))?;
    let payments: Vec<Element<'_>> =
        entry.children_named("NtryDtls").flat_map(|details| details.children_named("TxDtls")).collect();
    if payments.len() > DETAILS_MAX {
        let problem = format!("the entry has more than {DETAILS_MAX} TxDtls");
        return Err(at(entry, "NtryDtls")(Fault::new(
            FaultKind::Limit,
            problem,
            "Ask the bank to split large batches.",
        )));
    }
    let (mut party, details) = match payments.as_slice() {
        [] => (PaymentParty::default(), Vec::new()),
        [payment] => (read_party(*payment, we_paid), Vec::new()),
        payments => {
            let details = payments.iter().map(|payment| read_detail(*payment, is_debit, we_paid, exponent_of));
            (PaymentParty::default(), details.collect::<Result<_, _>>()?)
        }
    };
    if party.remittance.is_none() {
        party.remittance = entry.find_string(&["AddtlNtryInf"]);
    }
    Ok(LineDraft {
        bank_reference: bank_reference(entry, &payments),
        booking_date,
        value_date,
        amount_minor,
        status: status(entry)?,
        is_reversal,
        party,
        transaction_code: transaction_code(entry),
        details,
    })
}

/// Some banks give the reference of a single payment only in its details.
fn bank_reference(entry: Element<'_>, payments: &[Element<'_>]) -> Option<String> {
    let of_entry = entry.find_text(&["AcctSvcrRef"]).and_then(given);
    of_entry.or_else(|| match payments {
        [payment] => payment.find_text(&["Refs", "AcctSvcrRef"]).and_then(given),
        _ => None,
    })
}

fn is_reversal(entry: Element<'_>) -> Result<bool, ElementFault> {
    let Some(element) = entry.find(&["RvslInd"]) else { return Ok(false) };
    match element.text() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other => {
            let problem = format!("{} is neither true nor false", excerpt(other));
            Err(at(element, "RvslInd")(Fault::new(FaultKind::Invalid, problem, "Write true or false.")))
        }
    }
}

fn status(entry: Element<'_>) -> Result<LineStatus, ElementFault> {
    let element = entry.find(&["Sts"]).ok_or_else(|| missing(entry, "Sts"))?;
    match element.find_text(&["Cd"]).unwrap_or_else(|| element.text()) {
        "BOOK" => Ok(LineStatus::Booked),
        "PDNG" | "FUTR" => Ok(LineStatus::Pending),
        other => {
            let problem = format!("{} is no status of an entry in a statement", excerpt(other));
            Err(at(element, "Sts")(Fault::new(FaultKind::Invalid, problem, "Write BOOK or PDNG.")))
        }
    }
}

fn transaction_code(entry: Element<'_>) -> Option<String> {
    let code = entry.find(&["BkTxCd"])?;
    if let Some(domain) = code.find(&["Domn"]) {
        let parts = [&["Cd"][..], &["Fmly", "Cd"], &["Fmly", "SubFmlyCd"]];
        let parts: Vec<&str> = parts.iter().filter_map(|path| domain.find_text(path)).collect();
        if !parts.is_empty() {
            return Some(parts.join("-"));
        }
    }
    code.find_string(&["Prtry", "Cd"])
}

fn read_detail(
    payment: Element<'_>,
    is_debit_entry: bool,
    we_paid: bool,
    exponent_of: ExponentOf,
) -> Result<LineDetail, ElementFault> {
    let amount = payment
        .find(&["Amt"])
        .or_else(|| payment.find(&["AmtDtls", "TxAmt", "Amt"]))
        .or_else(|| payment.find(&["AmtDtls", "InstdAmt", "Amt"]));
    let is_debit = match payment.find(&["CdtDbtInd"]) {
        Some(_) => is_debit(payment)?,
        None => is_debit_entry,
    };
    let mut detail = LineDetail {
        bank_reference: payment.find_text(&["Refs", "AcctSvcrRef"]).and_then(given),
        amount_minor: None,
        currency: None,
        party: read_party(payment, we_paid),
    };
    if let Some(element) = amount {
        let in_amount = || at(element, "NtryDtls/TxDtls/Amt");
        let currency = Currency::parse(element.currency(), exponent_of).map_err(in_amount())?;
        let minor = minor_from_decimal(element.text(), '.', currency).map_err(in_amount())?;
        detail.amount_minor = Some(signed(minor, is_debit));
        detail.currency = Some(currency);
    }
    Ok(detail)
}

fn read_party(payment: Element<'_>, we_paid: bool) -> PaymentParty {
    let (party, ultimate, account) =
        if we_paid { ("Cdtr", "UltmtCdtr", "CdtrAcct") } else { ("Dbtr", "UltmtDbtr", "DbtrAcct") };
    let name = |role: &str| {
        let paths = [["RltdPties", role, "Nm"].to_vec(), ["RltdPties", role, "Pty", "Nm"].to_vec()];
        paths.iter().find_map(|path| payment.find_string(path))
    };
    let account_id = |path: &[&str]| payment.find(&["RltdPties", account, "Id"])?.find_string(path);
    let remittance: Vec<&str> = payment
        .find(&["RmtInf"])
        .into_iter()
        .flat_map(|info| info.children_named("Ustrd"))
        .map(Element::text)
        .filter(|text| !text.is_empty())
        .collect();
    let structured = payment.find_text(&["RmtInf", "Strd", "CdtrRefInf", "Ref"]);
    let remittance = (!remittance.is_empty()).then(|| remittance.join(" "));
    PaymentParty {
        counterparty_name: name(party).or_else(|| name(ultimate)),
        counterparty_account: account_id(&["IBAN"]).or_else(|| account_id(&["Othr", "Id"])),
        end_to_end_id: payment.find_text(&["Refs", "EndToEndId"]).and_then(given),
        mandate_id: payment.find_text(&["Refs", "MndtId"]).and_then(given),
        creditor_reference: structured
            .and_then(CreditorReference::from_field)
            .or_else(|| CreditorReference::from_text(remittance.as_deref()?)),
        remittance,
    }
}

/// Banks fill mandatory references that were not given.
pub(crate) fn given(text: &str) -> Option<String> {
    let is_filler = matches!(text.to_ascii_uppercase().as_str(), "" | "NOTPROVIDED" | "NONREF" | "NOREF" | "NONE");
    (!is_filler).then(|| text.to_owned())
}
