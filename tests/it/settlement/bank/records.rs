//! Statements, processor lines and reports, as a test makes them.

use std::fmt::Write as _;

use entity::{
    Timestamp,
    ids::{PayoutId, PayoutRunId},
    payout, processor_transaction,
    states::{EntryKind, PayoutRecipient, PayoutState},
};
use sea_orm::{ActiveValue::Set, EntityTrait as _};
use serde_json::{Value, json};
use time::{Date, Duration, OffsetDateTime};
use torv::{
    base::Money,
    db::Tx,
    ledger::{self, Account, Line, NewEntry},
};

use super::writers::{self, Entry};
use crate::support::{Answer, TestApp, TestOrg, sales::money};

/// The account of every test.
pub const IBAN: &str = "DK5000400440116243";

/// A line of the processor's own list.
#[derive(Debug, Clone)]
pub struct ApiLine {
    pub id: String,
    pub kind: &'static str,
    pub amount: Money,
    pub fee_minor: i64,
    pub source_ref: String,
    pub our_ref: Option<String>,
    pub at: OffsetDateTime,
}

impl ApiLine {
    pub fn net_minor(&self) -> i64 {
        self.amount.minor - self.fee_minor
    }

    fn explained_by(&self) -> (EntryKind, Account) {
        match self.kind {
            "charge" => (EntryKind::ProcessorCharge, Account::ClearingPayment),
            "payout" => (EntryKind::Payout, Account::ProcessorInTransit),
            "payout_failure" => (EntryKind::PayoutFailure, Account::ProcessorInTransit),
            "refund" => (EntryKind::ProcessorRefund, Account::ClearingRefund),
            other => panic!("no line of kind {other} is made here"),
        }
    }
}

/// A line of a bank statement.
pub fn bank_line(day: Date, amount_minor: i64, reference: &str, end_to_end_id: Option<&str>, text: &str) -> Entry {
    Entry {
        booking_date: day,
        value_date: day,
        amount_minor,
        reference: Some(reference.to_owned()),
        end_to_end_id: end_to_end_id.map(str::to_owned),
        mandate_id: None,
        name: Some("Processor Payments".to_owned()),
        account: Some("NL84TORV0000012345".to_owned()),
        text: Some(text.to_owned()),
    }
}

/// How a statement is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    Camt02,
    Camt08,
    Mt940,
    Csv,
}

/// A statement of these lines after an opening balance.
pub fn statement(written: Written, opening_minor: i64, lines: &[Entry]) -> Vec<u8> {
    let account = writers::Account { iban: IBAN, currency: "EUR", exponent: 2, opening_minor };
    let mut out = Vec::new();
    let entries = lines.iter().cloned();
    match written {
        Written::Camt02 => writers::camt(&mut out, "02", &account, entries),
        Written::Camt08 => writers::camt(&mut out, "08", &account, entries),
        Written::Mt940 => writers::mt940(&mut out, &account, entries),
        Written::Csv => writers::danish_csv(&mut out, &account, entries),
    }
    .expect("writes to memory");
    out
}

/// A row of a payout report; amounts in major units, as the processor writes them.
pub fn report_row(line: &ApiLine, currency: &str, fee_minor: i64, payout: &str, trace_id: &str) -> String {
    let major = |minor: i64| money(minor, "EUR").major_text();
    let day = |at: OffsetDateTime| {
        let (date, time) = (at.date(), at.time());
        format!("{date} {:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())
    };
    let mut row = String::new();
    write!(
        row,
        "{payout},,{},{},{currency},{},{},{},charge,{},{trace_id}",
        line.id,
        day(line.at),
        major(line.amount.minor),
        major(fee_minor),
        major(line.amount.minor - fee_minor),
        line.source_ref,
    )
    .expect("writes");
    row
}

/// The head of a payout report.
pub const REPORT_HEAD: &str = "automatic_payout_id,automatic_payout_effective_at_utc,balance_transaction_id,created_utc,\
                               currency,gross,fee,net,reporting_category,source_id,trace_id";

impl TestApp {
    /// Opens the account of the test, whose tables are Danish.
    pub async fn open_bank_account(&self, operator: &TestOrg) {
        let body = json!({"name": "main", "number": IBAN, "currency": "EUR", "csv_layout": "danish"});
        let request = self.as_org(operator, "POST", "/api/v1/settlement/bank-accounts");
        request.json(&body).send().await.expect(201);
    }

    /// Sends a statement.
    pub async fn import_statement(&self, operator: &TestOrg, file: Vec<u8>) -> Answer {
        let path = "/api/v1/settlement/bank-statements?account=main";
        self.as_org(operator, "POST", path).body(file).send().await
    }

    /// Sends a payout report.
    pub async fn import_report(&self, operator: &TestOrg, rows: &[String]) -> Answer {
        let file = format!("{REPORT_HEAD}\n{}\n", rows.join("\n"));
        self.as_org(operator, "POST", "/api/v1/settlement/payout-reports").body(file).send().await
    }

    /// Stores and books lines of the processor, as its import does, with funds that can be spent at once.
    pub async fn api_lines(&self, lines: &[ApiLine]) {
        for chunk in lines.chunks(300) {
            let accounts = chunk.iter().flat_map(|line| {
                let currency = line.amount.currency;
                [Account::ProcessorAvailable, Account::ProcessorFees, line.explained_by().1].map(|one| (one, currency))
            });
            let mut accounts: Vec<_> = accounts.collect();
            accounts.sort_by_key(|(account, currency)| (account.code(), *currency));
            accounts.dedup();
            ledger::open_accounts(&self.app, &accounts).await.expect("opens");
            let (chunk, now) = (chunk.to_vec(), self.clock.now());
            self.write(async move |tx: &Tx| {
                let rows = chunk.iter().map(api_row);
                processor_transaction::Entity::insert_many(rows)
                    .exec_without_returning(tx.conn())
                    .await
                    .expect("stores");
                ledger::post(tx, chunk.iter().map(api_entry).collect(), now).await.expect("books");
            })
            .await;
        }
    }

    /// A payout of the operator that the processor sent.
    pub async fn sent_payout(
        &self,
        operator: &TestOrg,
        reference: &str,
        amount: Money,
        at: OffsetDateTime,
    ) -> PayoutId {
        let id = PayoutId::at(at);
        let row = payout::ActiveModel {
            id: Set(id),
            run_id: Set(PayoutRunId::at(at)),
            recipient: Set(PayoutRecipient::Operator),
            organization_id: Set(operator.id),
            currency: Set(amount.currency.code().to_owned()),
            amount_minor: Set(amount.minor),
            state: Set(PayoutState::Paid),
            attempt: Set(1),
            processor_ref: Set(Some(reference.to_owned())),
            created_at: Set(Timestamp(at)),
            next_try_at: Set(None),
            paid_at: Set(Some(Timestamp(at))),
            failure_text: Set(None),
            source_ref: Set(None),
            ..Default::default()
        };
        self.write(async move |tx: &Tx| {
            payout::Entity::insert(row).exec_without_returning(tx.conn()).await.expect("stores");
        })
        .await;
        let line = ApiLine {
            id: format!("txn_{reference}"),
            kind: "payout",
            amount: Money::new(-amount.minor, amount.currency),
            fee_minor: 0,
            source_ref: reference.to_owned(),
            our_ref: Some(id.to_string()),
            at,
        };
        self.api_lines(&[line]).await;
        id
    }

    /// All exceptions that a page of the API shows, of every page.
    pub async fn exceptions(&self, operator: &TestOrg, query: &str) -> Vec<Value> {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/settlement/exceptions?limit=100{query}{cursor}");
            let page = self.as_org(operator, "GET", &path).send().await.expect(200).json();
            found.extend(page["items"].as_array().expect("items").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return found,
            }
        }
    }

    /// The three-way report of a period.
    pub async fn three_way(&self, operator: &TestOrg, from: &str, until: &str, currency: &str) -> Value {
        let path = format!("/api/v1/settlement/three-way?from={from}&until={until}&currency={currency}");
        self.as_org(operator, "GET", &path).send().await.expect(200).json()
    }
}

fn api_row(line: &ApiLine) -> processor_transaction::ActiveModel {
    processor_transaction::ActiveModel {
        id: Set(line.id.clone()),
        processor: Set("sandbox".to_owned()),
        kind: Set(line.kind.to_owned()),
        amount_minor: Set(line.amount.minor),
        fee_minor: Set(line.fee_minor),
        net_minor: Set(line.net_minor()),
        currency: Set(line.amount.currency.code().to_owned()),
        source_ref: Set(line.source_ref.clone()),
        our_ref: Set(line.our_ref.clone()),
        created_at: Set(Timestamp(line.at)),
        available_at: Set(Timestamp(line.at)),
        imported_at: Set(Timestamp(line.at + Duration::seconds(1))),
        available_booked_at: Set(Some(Timestamp(line.at))),
    }
}

fn api_entry(line: &ApiLine) -> NewEntry {
    let (kind, account) = line.explained_by();
    let money = |minor| Money::new(minor, line.amount.currency);
    NewEntry {
        kind,
        source: format!("processor:{}", line.id),
        effective_at: line.at,
        memo: None,
        lines: vec![
            Line::debit(Account::ProcessorAvailable, money(line.net_minor())),
            Line::debit(Account::ProcessorFees, money(line.fee_minor)),
            Line::debit(account, money(-line.amount.minor)),
        ],
    }
}
