//! A generated month: orders, charges, payouts, a report and weekly statements, with faults of every class
//! sown into it.

use std::collections::{BTreeMap, BTreeSet};

use entity::states::ExceptionClass;
use time::{Date, Duration, OffsetDateTime, macros::date, macros::datetime};

use super::{
    records::{ApiLine, REPORT_HEAD, Written, bank_line, report_row, statement},
    writers::Entry,
};
use crate::support::{
    TestApp, TestOrg,
    sales::{Sold, money},
};

/// Charges that one payout holds.
const CHARGES_PER_PAYOUT: usize = 20;
/// The first sale; the last one is before the 24th, so that everything can arrive in the month.
const FIRST: OffsetDateTime = datetime!(2026-10-01 08:00 UTC);
const LAST_DAYS: i64 = 22;
/// What was on the bank account before.
const OPENING_MINOR: i64 = 1_000_000;

/// A month that was made.
pub struct Month {
    pub orders: usize,
    /// The classes that were sown, each once, with the amount off.
    pub sown: BTreeMap<ExceptionClass, i64>,
    /// Weekly statements: opening balance and lines.
    weeks: Vec<(i64, Vec<Entry>)>,
    /// The statement that was not sent at first.
    missing: (i64, Vec<Entry>),
    report: Vec<String>,
    pub bank_lines: usize,
}

/// A payout with its charges.
struct Group {
    reference: String,
    trace_id: String,
    amount_minor: i64,
    sent_at: OffsetDateTime,
    charges: Vec<ApiLine>,
}

impl Month {
    /// Makes a month of `orders` orders, and writes what the exchange and the processor know of it.
    pub async fn make(app: &TestApp, operator: &TestOrg, orders: usize) -> Self {
        let (provider, buyer) = (app.provider().await, app.buyer().await);
        let step = Duration::days(LAST_DAYS) / i32::try_from(orders).expect("few enough");
        let sales: Vec<_> = (0..orders)
            .map(|place| {
                let number = i64::try_from(place).expect("fits");
                let at = FIRST + step * i32::try_from(place).expect("fits");
                (money(1_000 + number * 7_919 % 50_000, "EUR"), at)
            })
            .collect();
        let sold = app.sell_many_uncharged(&provider, &buyer, &sales).await;
        // The last order is the one that was never charged.
        let charges: Vec<ApiLine> = sold[..orders - 1]
            .iter()
            .zip(&sales)
            .enumerate()
            .map(|(place, (sold, (_, at)))| charge(place, sold, *at))
            .collect();
        app.api_lines(&charges).await;
        let groups: Vec<Group> =
            charges.chunks(CHARGES_PER_PAYOUT).enumerate().map(|(place, charges)| group(place, charges)).collect();
        let mut month = Self {
            orders,
            sown: BTreeMap::new(),
            weeks: Vec::new(),
            missing: (0, Vec::new()),
            report: Vec::new(),
            bank_lines: 0,
        };
        month.sow_at_processor(app, &sold, &sales).await;
        for group in &groups {
            let amount = money(group.amount_minor, "EUR");
            app.sent_payout(operator, &group.reference, amount, group.sent_at).await;
        }
        month.write_report(&groups);
        let lines = month.lines(app, operator, &groups).await;
        month.write_statements(&lines);
        month
    }

    fn sow(&mut self, class: ExceptionClass, off_minor: i64) {
        assert_eq!(self.sown.insert(class, off_minor), None, "{class} is sown once");
    }

    async fn sow_at_processor(&mut self, app: &TestApp, sold: &[Sold], sales: &[(torv::base::Money, OffsetDateTime)]) {
        let (uncharged, (_, at)) = (sold.last().expect("orders"), sales.last().expect("orders"));
        self.sow(ExceptionClass::MissingBalanceLine, uncharged.gross.minor);
        let (twice, (_, first_at)) = (&sold[3], &sales[3]);
        let again = ApiLine { id: "txn_again".to_owned(), ..charge(3, twice, *first_at + Duration::minutes(5)) };
        self.sow(ExceptionClass::DuplicateBalanceLine, -twice.gross.minor);
        let refund = ApiLine {
            id: "txn_refund".to_owned(),
            kind: "refund",
            amount: money(-500, "EUR"),
            fee_minor: 0,
            source_ref: "re_nobody".to_owned(),
            our_ref: None,
            at: *at,
        };
        self.sow(ExceptionClass::OrphanRefund, -500);
        app.api_lines(&[again, refund]).await;
    }

    /// The report has a wrong fee, a wrong amount, a wrong currency, a line twice, one too many and one too few.
    fn write_report(&mut self, groups: &[Group]) {
        let (mut rows, mut told) = (Vec::new(), BTreeSet::new());
        for (place, group) in groups.iter().enumerate() {
            let trace = if place == 10 { "" } else { group.trace_id.as_str() };
            for (number, line) in group.charges.iter().enumerate() {
                let row = |line: &ApiLine, fee, code| report_row(line, code, fee, &group.reference, trace);
                let off = |line: &ApiLine, by| ApiLine { amount: money(line.amount.minor + by, "EUR"), ..line.clone() };
                match (place, number) {
                    (1, 1) => {
                        rows.push(row(line, line.fee_minor + 7, "eur"));
                        self.sow(ExceptionClass::FeeMismatch, 7);
                    }
                    (2, 1) => {
                        rows.push(row(&off(line, 1_000), line.fee_minor, "eur"));
                        self.sow(ExceptionClass::ReportDiffers, 1_000);
                    }
                    (3, 1) => {
                        rows.push(row(line, line.fee_minor, "usd"));
                        self.sow(ExceptionClass::CurrencyMismatch, line.amount.minor);
                    }
                    (4, 1) => {
                        rows.extend([row(line, line.fee_minor, "eur"), row(line, line.fee_minor, "eur")]);
                        self.sow(ExceptionClass::DuplicateReportLine, line.net_minor());
                    }
                    (4, 2) => {
                        let extra = ApiLine { id: "txn_unknown".to_owned(), ..line.clone() };
                        rows.extend([row(line, line.fee_minor, "eur"), row(&extra, line.fee_minor, "eur")]);
                        self.sow(ExceptionClass::MissingInApi, line.amount.minor);
                    }
                    (4, 3) => self.sow(ExceptionClass::MissingInReport, line.net_minor()),
                    _ => rows.push(row(line, line.fee_minor, "eur")),
                }
            }
            told.insert(&group.reference);
        }
        self.report = rows;
    }

    /// The bank's lines: one per payout but for the faults, and a fee each week.
    async fn lines(&mut self, app: &TestApp, operator: &TestOrg, groups: &[Group]) -> Vec<Entry> {
        let mut lines = Vec::new();
        let text = "Payout of your sales";
        let plain = |group: &Group| arrival(group, group.amount_minor, Some(&group.trace_id), "");
        let nameless = |group: &Group, minor: i64, word: &str| arrival(group, minor, None, word);
        for (place, group) in groups.iter().enumerate() {
            let whole = group.amount_minor;
            match place {
                5 => self.sow(ExceptionClass::LatePayout, whole),
                6 => {
                    let failure = ApiLine {
                        id: "txn_failure".to_owned(),
                        kind: "payout_failure",
                        amount: money(whole, "EUR"),
                        fee_minor: 0,
                        source_ref: group.reference.clone(),
                        our_ref: None,
                        at: group.sent_at + Duration::hours(30),
                    };
                    app.api_lines(&[failure]).await;
                    self.sow(ExceptionClass::FailedPayout, whole);
                }
                // Split over two lines; one line for two payouts; nothing but the amount.
                7 => lines.extend([nameless(group, whole / 3, "a"), nameless(group, whole - whole / 3, "b")]),
                8 => {}
                9 => lines.push(nameless(group, whole + groups[8].amount_minor, "")),
                10 => lines.push(nameless(group, whole, "")),
                11 => {
                    lines.push(arrival(group, whole - whole / 5, Some(&group.trace_id), ""));
                    self.sow(ExceptionClass::WrongAmount, -(whole / 5));
                }
                12 => {
                    lines.extend([plain(group), arrival(group, whole, Some(&group.trace_id), "again")]);
                    self.sow(ExceptionClass::DuplicateBankLine, whole);
                }
                // What banks on the way kept is named by the match, and is no exception.
                13 => lines.push(arrival(group, whole - 150, Some(&group.trace_id), "")),
                _ => lines.push(plain(group)),
            }
        }
        app.sent_payout(operator, "po_dollars", money(10_000, "USD"), FIRST + Duration::days(8)).await;
        lines.push(bank_line(date!(2026 - 10 - 12), 9_210, "B-usd", Some("po_dollars"), text));
        self.sow(ExceptionClass::ExchangeDifference, 9_210);
        lines.push(bank_line(date!(2026 - 10 - 13), 777, "B-777", None, "Insurance pays back"));
        self.sow(ExceptionClass::UnexplainedBankLine, 777);
        for (number, day) in
            [date!(2026 - 10 - 07), date!(2026 - 10 - 14), date!(2026 - 10 - 21)].into_iter().enumerate()
        {
            lines.push(bank_line(day, -250, &format!("B-fee-{number}"), None, "Account fee"));
        }
        lines.sort_by_key(|line| line.booking_date);
        self.bank_lines = lines.len();
        lines
    }

    /// One statement a week; the one of a single day in between is not sent at first.
    fn write_statements(&mut self, lines: &[Entry]) {
        let gap_day = date!(2026 - 10 - 18);
        let mut balance = OPENING_MINOR;
        let ends = [date!(2026 - 10 - 10), date!(2026 - 10 - 17), date!(2026 - 10 - 31)];
        let mut begin = date!(2026 - 09 - 30);
        for end in ends {
            if begin == date!(2026 - 10 - 17) {
                let missing = bank_line(gap_day, -12_300, "B-rent", None, "Rent of the office");
                self.missing = (balance, vec![missing]);
                balance -= 12_300;
                self.sow(ExceptionClass::StatementGap, -12_300);
            }
            let of_week: Vec<Entry> =
                lines.iter().filter(|line| begin < line.booking_date && line.booking_date <= end).cloned().collect();
            let sum: i64 = of_week.iter().map(|line| line.amount_minor).sum();
            self.weeks.push((balance, of_week));
            balance += sum;
            begin = end;
        }
    }

    /// The statements that were sent, as files.
    pub fn statements(&self, written: Written) -> Vec<Vec<u8>> {
        self.weeks.iter().map(|(opening, lines)| statement(written, *opening, lines)).collect()
    }

    /// The statement that was missing.
    pub fn missing_statement(&self, written: Written) -> Vec<u8> {
        statement(written, self.missing.0, &self.missing.1)
    }

    /// The report's rows.
    pub fn report(&self) -> &[String] {
        assert!(REPORT_HEAD.contains("net"));
        &self.report
    }
}

fn charge(place: usize, sold: &Sold, at: OffsetDateTime) -> ApiLine {
    ApiLine {
        id: format!("txn_charge_{place:07}"),
        kind: "charge",
        amount: sold.gross,
        fee_minor: sold.gross.minor * 3 / 100 + 25,
        source_ref: format!("ch_{place:07}"),
        our_ref: Some(sold.payment.to_string()),
        at: at + Duration::seconds(30),
    }
}

fn group(place: usize, charges: &[ApiLine]) -> Group {
    let last = charges.iter().map(|line| line.at).max().expect("charges");
    Group {
        reference: format!("po_{place:07}"),
        trace_id: format!("TRACE{place:010}"),
        amount_minor: charges.iter().map(ApiLine::net_minor).sum(),
        sent_at: last + Duration::minutes(10),
        charges: charges.to_vec(),
    }
}

/// A line of a payout, on the next working day.
fn arrival(group: &Group, minor: i64, end_to_end_id: Option<&str>, word: &str) -> Entry {
    let day = working_day(group.sent_at.date() + Duration::days(1));
    bank_line(day, minor, &format!("B-{}{word}", group.reference), end_to_end_id, "Payout of your sales")
}

fn working_day(day: Date) -> Date {
    use time::Weekday::{Saturday, Sunday};
    if matches!(day.weekday(), Saturday | Sunday) { working_day(day + Duration::days(1)) } else { day }
}
