//! camt.053: the booked statement of ISO 20022.

pub(crate) mod entry;
mod tree;
mod xml;

use std::io::BufRead;

use entry::{ElementFault, amount, at, date_choice, is_debit, missing, read_entry, signed};
use tree::{Element, Tree};
use xml::{Token, Xml};

use crate::{
    amount::{Currency, ExponentOf, minor_from_decimal},
    date::iso_date,
    error::{BankFileError, Fault, FaultKind, Position, excerpt},
    input::Input,
    reader::Settings,
    record::{Balance, Record, StatementHead},
    reference::AccountId,
    statement::{LineKeys, OpenStatement},
};

/// What the namespace of every message begins with.
pub(crate) const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:";
const MESSAGE: &str = "camt.053.001.";
/// Versions whose elements read here have the names and places of .02 or .08.
const VERSIONS: std::ops::RangeInclusive<u8> = 2..=10;

/// Reads the statements of one message.
pub(crate) struct CamtReader<R> {
    xml: Xml<R>,
    tree: Tree,
    exponent_of: ExponentOf,
    keys: LineKeys,
    /// Depth of the `Document` element, once it was found.
    document_depth: Option<usize>,
    was_document_found: bool,
    statement: Stage,
    /// Read ahead: the first line of a statement, behind its head.
    ready: Option<Record>,
}

/// How far the statement is.
enum Stage {
    Outside,
    /// Before the first entry.
    Head(Box<Head>),
    /// Head yielded, entries follow.
    Lines(Box<OpenStatement>, Stated),
}

/// What is collected before the first entry.
#[derive(Default)]
struct Head {
    statement_id: Option<String>,
    sequence: Option<u64>,
    from: Option<time::Date>,
    to: Option<time::Date>,
    account: Option<AccountId>,
    bic: Option<String>,
    currency: Option<Currency>,
    opening: Option<Balance>,
    /// Stands in when there is no opening balance.
    previous_closing: Option<Balance>,
    stated: Stated,
}

/// Totals the statement gives of itself.
#[derive(Default, Clone, Copy)]
struct Stated {
    closing: Option<Balance>,
    is_intermediate: bool,
    entry_count: Option<u64>,
    entry_sum_minor: Option<i64>,
}

impl<R: BufRead> CamtReader<R> {
    pub(crate) fn new(input: Input<R>, settings: &Settings) -> Result<Self, BankFileError> {
        Ok(Self {
            xml: Xml::new(input)?,
            tree: Tree::default(),
            exponent_of: settings.exponent_of,
            keys: LineKeys::default(),
            document_depth: None,
            was_document_found: false,
            statement: Stage::Outside,
            ready: None,
        })
    }

    pub(crate) fn position(&self) -> Position {
        self.xml.position()
    }

    pub(crate) fn next_record(&mut self) -> Result<Option<Record>, BankFileError> {
        if let Some(record) = self.ready.take() {
            return Ok(Some(record));
        }
        loop {
            let record = match self.xml.next()? {
                Token::Start => self.start()?,
                Token::End => self.end()?,
                Token::Text => None,
                Token::EndOfFile if self.was_document_found => return Ok(None),
                Token::EndOfFile => return Err(self.xml.fail(not_a_statement("the file has no Document element"))),
            };
            if record.is_some() {
                return Ok(record);
            }
        }
    }

    fn start(&mut self) -> Result<Option<Record>, BankFileError> {
        let Some(document_depth) = self.document_depth else {
            if self.xml.name() == "Document" {
                check_message(self.xml.namespace()).map_err(|fault| self.xml.fail(fault))?;
                self.document_depth = Some(self.xml.depth());
                self.was_document_found = true;
            }
            return Ok(None);
        };
        match (self.xml.depth() - document_depth, self.xml.name()) {
            (1, "BkToCstmrStmt") => Ok(None),
            (1, name) => {
                let problem = format!("the message begins with {} instead of BkToCstmrStmt", excerpt(name));
                Err(self.xml.fail(not_a_statement(problem)))
            }
            (2, "Stmt") => {
                self.statement = Stage::Head(Box::default());
                Ok(None)
            }
            (2, _) => {
                self.load()?;
                Ok(None)
            }
            _ => self.statement_child(),
        }
    }

    fn load(&mut self) -> Result<(), BankFileError> {
        self.xml.load(&mut self.tree)
    }

    fn statement_child(&mut self) -> Result<Option<Record>, BankFileError> {
        let path = self.xml.path();
        let position = self.xml.position();
        self.load()?;
        let Some(element) = self.tree.root() else { return Ok(None) };
        if element.name() == "Ntry" {
            return self.entry(&path);
        }
        match &mut self.statement {
            Stage::Head(head) => head.read(element, self.exponent_of).map_err(|found| place(found, &path))?,
            Stage::Lines(..) if matches!(element.name(), "Bal" | "Acct" | "TxsSummry") => {
                let problem = format!("{} comes after the first Ntry", element.name());
                let fault = Fault::new(FaultKind::Order, problem, "Put the entries behind account and balances.");
                return Err(fault.at(position, path));
            }
            Stage::Lines(..) | Stage::Outside => {}
        }
        Ok(None)
    }

    /// Reads the entry in the tree. The first one of a statement completes its head, which is yielded before it.
    fn entry(&mut self, path: &str) -> Result<Option<Record>, BankFileError> {
        let Some(element) = self.tree.root() else { return Ok(None) };
        let mut begun = None;
        self.statement = match std::mem::replace(&mut self.statement, Stage::Outside) {
            Stage::Head(head) => {
                let (statement, stated) = head.finish(element, self.exponent_of).map_err(|found| place(found, path))?;
                begun = Some(Record::Statement(statement.head.clone()));
                Stage::Lines(Box::new(statement), stated)
            }
            stage => stage,
        };
        let Stage::Lines(statement, _) = &mut self.statement else { return Ok(None) };
        let draft =
            read_entry(element, statement.head.currency, self.exponent_of).map_err(|found| place(found, path))?;
        let line = statement.add(draft, &mut self.keys).map_err(|fault| fault.at(element.position(), path))?;
        let line = Record::Line(Box::new(line));
        if begun.is_some() {
            self.ready = Some(line);
            return Ok(begun);
        }
        Ok(Some(line))
    }

    fn end(&mut self) -> Result<Option<Record>, BankFileError> {
        let Some(document_depth) = self.document_depth else { return Ok(None) };
        let depth = self.xml.depth();
        if depth + 1 == document_depth {
            self.document_depth = None;
        }
        if depth != document_depth + 1 {
            return Ok(None);
        }
        let position = self.xml.position();
        let path = self.xml.path();
        let place = |fault: Fault| fault.at(position, format!("{path}/Stmt"));
        match std::mem::replace(&mut self.statement, Stage::Outside) {
            Stage::Outside => Ok(None),
            Stage::Head(head) => {
                let (statement, stated) = head.finish_without_entries().map_err(place)?;
                let record = Record::Statement(statement.head.clone());
                self.ready = Some(end_record(statement, stated).map_err(place)?);
                Ok(Some(record))
            }
            Stage::Lines(statement, stated) => end_record(*statement, stated).map(Some).map_err(place),
        }
    }
}

/// A fault below the element at `path`.
fn place(found: ElementFault, path: &str) -> BankFileError {
    let path = if found.path.is_empty() { path.to_owned() } else { format!("{path}/{}", found.path) };
    found.fault.at(found.position, path)
}

fn end_record(statement: OpenStatement, stated: Stated) -> Result<Record, Fault> {
    // Whether pending entries count in the summary differs between banks.
    if statement.pending_count() == 0 {
        let found = statement.line_count();
        if stated.entry_count.is_some_and(|count| count != found) {
            let problem =
                format!("TtlNtries states {:?} entries, but there are {found}", stated.entry_count.unwrap_or(0));
            return Err(Fault::new(FaultKind::Total, problem, "Ask the bank for a complete statement."));
        }
        let sum = statement.absolute_sum();
        if let Some(stated_sum) = stated.entry_sum_minor.filter(|stated| i128::from(*stated) != sum) {
            let currency = statement.head.currency;
            let (stated_sum, sum) = (currency.show(stated_sum.into()), currency.show(sum));
            let problem = format!("TtlNtries states a sum of {stated_sum}, but the entries give {sum}");
            return Err(Fault::new(FaultKind::Total, problem, "Ask the bank for a complete statement."));
        }
    }
    statement.end(stated.closing, stated.is_intermediate).map(Record::EndOfStatement)
}

fn not_a_statement(problem: impl Into<String>) -> Fault {
    Fault::new(FaultKind::Unsupported, problem, "Send a camt.053 bank statement, version .02 to .10.")
}

fn check_message(namespace: &str) -> Result<(), Fault> {
    let Some(message) = namespace.strip_prefix(NAMESPACE) else {
        return Err(not_a_statement(format!("the namespace {} is no ISO 20022 message", excerpt(namespace))));
    };
    let version = message.strip_prefix(MESSAGE).and_then(|version| version.parse::<u8>().ok());
    match version {
        Some(version) if VERSIONS.contains(&version) => Ok(()),
        _ => Err(not_a_statement(format!("the message {} is not read here", excerpt(message)))),
    }
}

impl Head {
    fn read(&mut self, element: Element<'_>, exponent_of: ExponentOf) -> Result<(), ElementFault> {
        match element.name() {
            "Id" => self.statement_id = Some(element.text().to_owned()),
            "ElctrncSeqNb" => self.sequence = element.text().parse().ok(),
            "LglSeqNb" => self.sequence = self.sequence.or_else(|| element.text().parse().ok()),
            "FrToDt" => {
                self.from = read_date(element, "FrDtTm")?.or(read_date(element, "FrDt")?);
                self.to = read_date(element, "ToDtTm")?.or(read_date(element, "ToDt")?);
            }
            "Acct" => self.read_account(element, exponent_of)?,
            "Bal" => self.read_balance(element, exponent_of)?,
            "TxsSummry" => self.read_summary(element)?,
            _ => {}
        }
        Ok(())
    }

    fn read_account(&mut self, account: Element<'_>, exponent_of: ExponentOf) -> Result<(), ElementFault> {
        let id = account.find_text(&["Id", "IBAN"]).or_else(|| account.find_text(&["Id", "Othr", "Id"]));
        self.account = Some(AccountId::parse(id.ok_or_else(|| missing(account, "Id/IBAN"))?));
        let institution = account.find(&["Svcr", "FinInstnId"]);
        self.bic = institution.and_then(|bank| bank.find_string(&["BICFI"]).or_else(|| bank.find_string(&["BIC"])));
        if let Some(element) = account.find(&["Ccy"]) {
            self.currency = Some(Currency::parse(element.text(), exponent_of).map_err(at(element, "Ccy"))?);
        }
        Ok(())
    }

    /// A statement of several days may give balances for each: the first opening and the last closing count.
    fn read_balance(&mut self, balance: Element<'_>, exponent_of: ExponentOf) -> Result<(), ElementFault> {
        let code = balance.find_text(&["Tp", "CdOrPrtry", "Cd"]);
        if !matches!(code, Some("OPBD" | "PRCD" | "CLBD")) {
            return Ok(());
        }
        let currency = self.currency_of(balance, exponent_of)?;
        let minor = signed(amount(balance, currency)?, is_debit(balance)?);
        let found = Balance { minor, date: date_choice(balance, "Dt")? };
        let is_intermediate = balance.find_text(&["Tp", "SubTp", "Cd"]) == Some("INTM");
        match code {
            Some("PRCD") => self.previous_closing = Some(found),
            Some("OPBD") if self.opening.is_none_or(|kept| found.date < kept.date) => self.opening = Some(found),
            Some("CLBD") if self.stated.closing.is_none_or(|kept| found.date >= kept.date) => {
                self.stated.closing = Some(found);
                self.stated.is_intermediate = is_intermediate;
            }
            _ => {}
        }
        Ok(())
    }

    /// The account's currency; of a statement that does not name it, that of the first amount.
    fn currency_of(&mut self, parent: Element<'_>, exponent_of: ExponentOf) -> Result<Currency, ElementFault> {
        if let Some(currency) = self.currency {
            return Ok(currency);
        }
        let element = parent.find(&["Amt"]).ok_or_else(|| missing(parent, "Amt"))?;
        let currency = Currency::parse(element.currency(), exponent_of).map_err(at(element, "Amt"))?;
        self.currency = Some(currency);
        Ok(currency)
    }

    fn read_summary(&mut self, summary: Element<'_>) -> Result<(), ElementFault> {
        let Some(total) = summary.find(&["TtlNtries"]) else { return Ok(()) };
        if let Some(count) = total.find(&["NbOfNtries"]) {
            let number = count.text().parse().map_err(|_| {
                let problem = format!("{} is not a number of entries", excerpt(count.text()));
                at(count, "TtlNtries/NbOfNtries")(Fault::new(FaultKind::Invalid, problem, "Write digits."))
            })?;
            self.stated.entry_count = Some(number);
        }
        if let (Some(sum), Some(currency)) = (total.find(&["Sum"]), self.currency) {
            let minor = minor_from_decimal(sum.text(), '.', currency).map_err(at(sum, "TtlNtries/Sum"))?;
            self.stated.entry_sum_minor = Some(minor);
        }
        Ok(())
    }

    fn finish(
        mut self,
        first_entry: Element<'_>,
        exponent_of: ExponentOf,
    ) -> Result<(OpenStatement, Stated), ElementFault> {
        self.currency_of(first_entry, exponent_of)?;
        self.finish_without_entries().map_err(at(first_entry, ""))
    }

    fn finish_without_entries(self) -> Result<(OpenStatement, Stated), Fault> {
        let lacks = |what: &str| {
            Fault::new(
                FaultKind::Missing,
                format!("the statement has no {what}"),
                "Ask the bank for a complete statement.",
            )
        };
        let head = StatementHead {
            account: self.account.ok_or_else(|| lacks("Acct"))?,
            bic: self.bic,
            currency: self.currency.ok_or_else(|| lacks("Acct/Ccy, Bal or Ntry that names a currency"))?,
            statement_id: self.statement_id,
            sequence: self.sequence,
            from: self.from,
            to: self.to,
            opening: self.opening.or(self.previous_closing),
            closing: self.stated.closing,
        };
        Ok((OpenStatement::new(head), self.stated))
    }
}

fn read_date(parent: Element<'_>, name: &'static str) -> Result<Option<time::Date>, ElementFault> {
    let Some(element) = parent.find(&[name]) else { return Ok(None) };
    iso_date(element.text()).map(Some).map_err(at(element, name))
}
