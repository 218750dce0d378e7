//! Writes a statement in each format: for tests that read it back, and for files of any length.

use std::io::{self, Write};

use time::{Date, macros::format_description};

/// What every format can say of a line.
#[derive(Debug, Clone)]
pub struct Entry {
    pub booking_date: Date,
    pub value_date: Date,
    pub amount_minor: i64,
    pub reference: Option<String>,
    pub end_to_end_id: Option<String>,
    pub mandate_id: Option<String>,
    pub name: Option<String>,
    pub account: Option<String>,
    pub text: Option<String>,
}

/// The account and what was on it before the first line.
#[derive(Debug, Clone)]
pub struct Account {
    pub iban: &'static str,
    pub currency: &'static str,
    pub exponent: usize,
    pub opening_minor: i64,
}

impl Account {
    fn closing_minor(&self, entries: impl Iterator<Item = Entry>) -> i64 {
        self.opening_minor + entries.map(|entry| entry.amount_minor).sum::<i64>()
    }

    /// Whole and fraction of an amount without its sign.
    fn decimal(&self, minor: i64, separator: &str) -> String {
        let digits = format!("{:0>width$}", minor.unsigned_abs(), width = self.exponent + 1);
        let (major, fraction) = digits.split_at(digits.len() - self.exponent);
        if fraction.is_empty() { major.to_owned() } else { format!("{major}{separator}{fraction}") }
    }
}

pub fn camt(
    out: &mut impl Write,
    version: &str,
    account: &Account,
    entries: impl Iterator<Item = Entry> + Clone,
) -> io::Result<()> {
    let Account { iban, currency, opening_minor, .. } = *account;
    let closing_minor = account.closing_minor(entries.clone());
    let indicator = |minor: i64| if minor < 0 { "DBIT" } else { "CRDT" };
    writeln!(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}\"><BkToCstmrStmt>\
         <GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-02-01T01:00:00+01:00</CreDtTm></GrpHdr>\n\
         <Stmt><Id>S1</Id><ElctrncSeqNb>1</ElctrncSeqNb><CreDtTm>2026-02-01T01:00:00+01:00</CreDtTm>\
         <Acct><Id><IBAN>{iban}</IBAN></Id><Ccy>{currency}</Ccy></Acct>"
    )?;
    for (code, minor) in [("OPBD", opening_minor), ("CLBD", closing_minor)] {
        writeln!(
            out,
            "<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy=\"{currency}\">{}</Amt>\
             <CdtDbtInd>{}</CdtDbtInd><Dt><Dt>2026-01-31</Dt></Dt></Bal>",
            account.decimal(minor, "."),
            indicator(minor)
        )?;
    }
    let (is_old, status) = (version == "02", if version == "02" { "BOOK" } else { "<Cd>BOOK</Cd>" });
    for entry in entries {
        let minor = entry.amount_minor;
        let role = if minor < 0 { "Cdtr" } else { "Dbtr" };
        let name = entry.name.map(|name| element("Nm", &escaped(&name))).unwrap_or_default();
        let name = if is_old { name } else { element("Pty", &name) };
        let other = entry.account.map(|id| element("IBAN", &id)).unwrap_or_default();
        writeln!(
            out,
            "<Ntry><Amt Ccy=\"{currency}\">{}</Amt><CdtDbtInd>{}</CdtDbtInd><Sts>{status}</Sts>\
             <BookgDt><Dt>{}</Dt></BookgDt><ValDt><Dt>{}</Dt></ValDt>{}\
             <BkTxCd><Prtry><Cd>NTRF+166</Cd></Prtry></BkTxCd><NtryDtls><TxDtls><Refs>{}{}</Refs>\
             <RltdPties>{}{}</RltdPties>{}</TxDtls></NtryDtls></Ntry>",
            account.decimal(minor, "."),
            indicator(minor),
            entry.booking_date,
            entry.value_date,
            entry.reference.map(|text| element("AcctSvcrRef", &text)).unwrap_or_default(),
            element("EndToEndId", &entry.end_to_end_id.unwrap_or_else(|| "NOTPROVIDED".into())),
            entry.mandate_id.map(|text| element("MndtId", &text)).unwrap_or_default(),
            element(role, &name),
            element(&format!("{role}Acct"), &element("Id", &other)),
            entry.text.map(|text| element("RmtInf", &element("Ustrd", &escaped(&text)))).unwrap_or_default(),
        )?;
    }
    writeln!(out, "</Stmt></BkToCstmrStmt></Document>")
}

fn element(name: &str, content: &str) -> String {
    if content.is_empty() { String::new() } else { format!("<{name}>{content}</{name}>") }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

pub fn mt940(out: &mut impl Write, account: &Account, entries: impl Iterator<Item = Entry> + Clone) -> io::Result<()> {
    let short = format_description!("[year repr:last_two][month][day]");
    let month_and_day = format_description!("[month][day]");
    let written = |minor| {
        let amount = account.decimal(minor, ",");
        if amount.contains(',') { amount } else { format!("{amount},") }
    };
    let sign = |minor: i64| if minor < 0 { "D" } else { "C" };
    let balance = |minor| format!("{}260131{}{}", sign(minor), account.currency, written(minor));
    write!(out, ":20:S1\r\n:25:{}\r\n:28C:1/1\r\n", account.iban)?;
    write!(out, ":60F:{}\r\n", balance(account.opening_minor))?;
    for entry in entries.clone() {
        write!(
            out,
            ":61:{}{}{}{}NTRFNONREF",
            entry.value_date.format(short).map_err(io::Error::other)?,
            entry.booking_date.format(month_and_day).map_err(io::Error::other)?,
            sign(entry.amount_minor),
            written(entry.amount_minor)
        )?;
        if let Some(reference) = entry.reference {
            write!(out, "//{reference}")?;
        }
        let mut info = "166?00TRANSFER".to_owned();
        let keyed = [("EREF+", entry.end_to_end_id), ("MREF+", entry.mandate_id), ("SVWZ+", entry.text)];
        let purpose = keyed.into_iter().filter_map(|(key, value)| Some(format!("{key}{}", value?)));
        let pieces = purpose.flat_map(|text| cut(&text, 27));
        for (number, piece) in (20..30).chain(60..64).zip(pieces) {
            info.extend([format!("?{number}{piece}")]);
        }
        info.extend(entry.account.map(|id| format!("?31{id}")));
        for (number, piece) in (32..34).zip(cut(&entry.name.unwrap_or_default(), 27)) {
            info.extend([format!("?{number}{piece}")]);
        }
        write!(out, "\r\n:86:{}\r\n", cut(&info, 61).join("\r\n"))?;
    }
    write!(out, ":62F:{}\r\n-\r\n", balance(account.closing_minor(entries)))
}

fn cut(text: &str, width: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(width).map(|piece| piece.iter().collect()).collect()
}

/// In the layout of the Danish example profile, the oldest row first.
pub fn danish_csv(out: &mut impl Write, account: &Account, entries: impl Iterator<Item = Entry>) -> io::Result<()> {
    let day = format_description!("[day]-[month]-[year]");
    let written = |minor: i64| format!("{}{}", if minor < 0 { "-" } else { "" }, account.decimal(minor, ","));
    let mut balance_minor = account.opening_minor;
    writeln!(
        out,
        "Bogføringsdato;Valørdato;Tekst;Beløb;Saldo;Valuta;Reference;End-to-end;Mandat;FIK/RF;Modpart;Modpartskonto;Status"
    )?;
    for entry in entries {
        balance_minor += entry.amount_minor;
        writeln!(
            out,
            "{};{};{};{};{};{};{};{};{};;{};{};Udført",
            entry.booking_date.format(day).map_err(io::Error::other)?,
            entry.value_date.format(day).map_err(io::Error::other)?,
            quoted(entry.text),
            written(entry.amount_minor),
            written(balance_minor),
            account.currency,
            quoted(entry.reference),
            quoted(entry.end_to_end_id),
            quoted(entry.mandate_id),
            quoted(entry.name),
            quoted(entry.account),
        )?;
    }
    Ok(())
}

fn quoted(text: Option<String>) -> String {
    text.map(|text| format!("\"{}\"", text.replace('"', "\"\""))).unwrap_or_default()
}
