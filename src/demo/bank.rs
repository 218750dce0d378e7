//! The bank's side: its statement is made from what the processor says it sent, brought in, and compared with orders
//! and processor; then the month is closed.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::json;
use time::Date;

use super::{
    client::Reply,
    market::Market,
    narrate::{fact, line, money, step},
    papers, settle,
    walk::{Cast, Walk, expect, wait_for},
    world::SentToBank,
};
use crate::{
    base::{Currency, Money},
    error::{Error, Result},
};

const STATEMENTS: &str = "/api/v1/settlement/bank-statements";

/// Lets the month end, brings the bank's statement in, and closes the month in every currency.
pub(super) async fn month_is_closed(cast: &Cast<'_>, market: &Market, walk: &mut Walk) -> Result<()> {
    let month = Month::of(cast.world.today())?;
    cast.world.pass_month_end().await?;
    step(11, "The month is over: the bank's statement is brought in, and the month is closed")?;
    let currencies = settle::currencies(market);
    let sent = cast.world.sent_to_bank().await?;
    let mut accounts = BTreeMap::new();
    for (number, code) in currencies.iter().enumerate() {
        let iban = iban(number);
        let account = json!({"name": format!("main_{}", code.to_lowercase()), "number": iban, "currency": code});
        cast.client.post("/api/v1/settlement/bank-accounts", &cast.operator.api_key, &account).await?;
        accounts.insert(code.parse::<Currency>().map_err(|error| Error::internal(error.to_string()))?, iban);
        let of_currency = sent.iter().filter(|one| one.amount.currency.code() == *code);
        let sum: i64 = of_currency.map(|one| one.amount.minor).sum();
        wait_for("the processor's payouts in the books", || async {
            let report = three_way(cast, &month, code).await?;
            Ok((report.number("/processor_to_bank/left_minor")? == sum).then_some(()))
        })
        .await?;
    }
    fact("bank accounts", format!("{}, one for each of {}", accounts.len(), currencies.join(", ")))?;
    let file = camt053(&accounts, &sent, &month);
    walk.papers.bank_statement = papers::store(cast.folder, "bank-statement.camt053.xml", file.as_bytes())?;
    let first = cast.client.post_bytes(STATEMENTS, &cast.operator.api_key, file.clone().into_bytes()).await?;
    let again = cast.client.post_bytes(STATEMENTS, &cast.operator.api_key, file.into_bytes()).await?;
    let (new, known) = (first.number("/lines_new")?, again.number("/lines_known")?);
    expect(new > 0 && again.number("/lines_new")? == 0, "a statement that comes again brings nothing new")?;
    fact("statement", format!("camt.053 with {new} payments; the same file again: 0 new, {known} known"))?;
    compare(cast, &month, &currencies).await?;
    close(cast, &month, &currencies).await
}

/// Shows orders, processor and bank side by side.
async fn compare(cast: &Cast<'_>, month: &Month, currencies: &[&str]) -> Result<()> {
    let cells = |cells: [String; 6]| cells.iter().map(|cell| format!("{cell:>18}")).collect::<String>();
    let columns = ["orders", "charged", "sent to bank", "at bank", "in books", "unexplained"];
    line(format!("  {}", cells(columns.map(ToOwned::to_owned))))?;
    let (mut by_machine, mut looked_at) = (0, 0);
    for code in currencies {
        let report = wait_for("the bank's lines in the books", || async {
            let report = three_way(cast, month, code).await?;
            let is_booked = report.number("/bank_to_books/timing_minor")? == 0;
            Ok((is_booked && report.number("/unexplained_minor")? == 0).then_some(report))
        })
        .await?;
        let sum = |pointer: &str| report.number(pointer).map(|minor| money(minor, code));
        line(format!(
            "  {}",
            cells([
                sum("/orders_to_processor/left_minor")?,
                sum("/orders_to_processor/right_minor")?,
                sum("/processor_to_bank/left_minor")?,
                sum("/bank_to_books/left_minor")?,
                sum("/bank_to_books/right_minor")?,
                sum("/unexplained_minor")?,
            ])
        ))?;
        let arrived = report.number("/processor_to_bank/right_minor")?;
        expect(report.number("/processor_to_bank/left_minor")? == arrived, "all that was sent has arrived")?;
        by_machine += report.number("/matched_by_machine")?;
        looked_at += report.number("/looked_at")?;
    }
    fact("matched by rule", format!("{by_machine} of {looked_at} orders, charges and payments"))
}

async fn close(cast: &Cast<'_>, month: &Month, currencies: &[&str]) -> Result<()> {
    let mut seal = String::new();
    for code in currencies {
        let wish = json!({"month": month.name(), "currency": code});
        let closed = cast.client.post("/api/v1/settlement/closings", &cast.operator.api_key, &wish).await?;
        expect(closed.number("/sums/unexplained_minor")? == 0, "a closed month has nothing unexplained")?;
        seal = format!("{} {}…", closed.number("/seal_number")?, &closed.text("/seal_head")?[..12]);
    }
    let unexplained: Vec<_> = currencies.iter().map(|code| money(0, code)).collect();
    fact("closed", format!("{} under seal {seal}, unexplained: {}", month.name(), unexplained.join(", ")))
}

async fn three_way(cast: &Cast<'_>, month: &Month, code: &str) -> Result<Reply> {
    let (from, until) = (month.first, month.next);
    let path = format!("/api/v1/settlement/three-way?from={from}T00:00:00Z&until={until}T00:00:00Z&currency={code}");
    cast.client.get(&path, &cast.operator.api_key).await
}

/// A calendar month.
struct Month {
    first: Date,
    last: Date,
    /// First day of the next one.
    next: Date,
}

impl Month {
    fn of(day: Date) -> Result<Self> {
        let first = day.replace_day(1).map_err(Error::internal)?;
        let last = day.replace_day(day.month().length(day.year())).map_err(Error::internal)?;
        let next = last.next_day().ok_or_else(|| Error::internal("there is no next month"))?;
        Ok(Self { first, last, next })
    }

    fn name(&self) -> String {
        format!("{:04}-{:02}", self.first.year(), u8::from(self.first.month()))
    }
}

/// A number at a bank that does not exist, with right check digits.
///
/// Source: ISO 13616, the remainder by 97.
fn iban(number: usize) -> String {
    const BANK: &str = "9900000100";
    let account = format!("{BANK}{number:04}");
    // The country DK as digits, and 00 where the check digits will be.
    let digits = format!("{account}131400");
    let rest = digits.bytes().fold(0_u32, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
    format!("DK{:02}{account}", 98 - rest)
}

/// A statement of every account over the month, as a bank would write it.
///
/// Source: ISO 20022, camt.053.001.08.
fn camt053(accounts: &BTreeMap<Currency, String>, sent: &[SentToBank], month: &Month) -> String {
    let mut xml = String::from(concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\">\n<BkToCstmrStmt>\n"
    ));
    let made = format!("{}T01:00:00Z", month.next);
    // Writing to a string can't fail.
    let _ = writeln!(xml, "<GrpHdr><MsgId>DEMO-{}</MsgId><CreDtTm>{made}</CreDtTm></GrpHdr>", month.name());
    for (currency, iban) in accounts {
        let mut lines: Vec<_> = sent.iter().filter(|one| one.amount.currency == *currency).collect();
        lines.sort_by_key(|one| one.arrives_on);
        let sum = Money::new(lines.iter().map(|one| one.amount.minor).sum(), *currency);
        let name = format!("{currency}-{}", month.name());
        let _ = writeln!(xml, "<Stmt><Id>{name}</Id><CreDtTm>{made}</CreDtTm>");
        let _ = writeln!(xml, "<Acct><Id><IBAN>{iban}</IBAN></Id><Ccy>{currency}</Ccy></Acct>");
        xml.push_str(&balance("OPBD", Money::new(0, *currency), month.first));
        xml.push_str(&balance("CLBD", sum, month.last));
        for (number, one) in lines.into_iter().enumerate() {
            xml.push_str(&entry(&format!("{name}-{number}"), one));
        }
        xml.push_str("</Stmt>\n");
    }
    xml.push_str("</BkToCstmrStmt>\n</Document>\n");
    xml
}

fn balance(kind: &str, amount: Money, day: Date) -> String {
    let (currency, text) = (amount.currency, amount.major_text());
    format!(
        "<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy=\"{currency}\">{text}</Amt>\
         <CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>\n"
    )
}

fn entry(number: &str, sent: &SentToBank) -> String {
    let (currency, text, day, reference) =
        (sent.amount.currency, sent.amount.major_text(), sent.arrives_on, &sent.reference);
    format!(
        "<Ntry><NtryRef>{number}</NtryRef><Amt Ccy=\"{currency}\">{text}</Amt><CdtDbtInd>CRDT</CdtDbtInd>\
         <Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{day}</Dt></ValDt>\
         <AcctSvcrRef>{number}</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd>\
         </Fmly></Domn></BkTxCd><NtryDtls><TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs><RltdPties><Dbtr>\
         <Pty><Nm>Payment processor</Nm></Pty></Dbtr></RltdPties><RmtInf><Ustrd>PAYOUT</Ustrd></RmtInf></TxDtls>\
         </NtryDtls></Ntry>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_numbers_have_right_check_digits() {
        assert_eq!(iban(1), "DK5499000001000001");
        assert_eq!(iban(5), "DK4399000001000005");
    }
}
