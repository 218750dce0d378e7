//! MT940: the customer statement of SWIFT, with the habits of German and Dutch banks.

mod field;
mod info;
mod line;

use std::io::BufRead;

use field::{Field, Fields};
use info::read_info;
use line::{balance, statement_line};

use crate::{
    amount::{Currency, ExponentOf},
    error::{BankFileError, Fault, FaultKind, Position},
    input::Input,
    reader::Settings,
    record::{Balance, Record, StatementHead},
    reference::{AccountId, iban},
    statement::{LineDraft, LineKeys, OpenStatement},
};

/// Reads the statements of one file; the pages of a statement become one.
pub(crate) struct Mt940Reader<R> {
    fields: Fields<R>,
    exponent_of: ExponentOf,
    keys: LineKeys,
    page: Page,
    statement: Option<OpenStatement>,
    /// The line whose `:86:` may still follow.
    pending: Option<(LineDraft, Position)>,
    /// Closing balance of the page before, when it was an intermediate one.
    intermediate: Option<Balance>,
    ready: Option<Record>,
    is_finished: bool,
}

/// Head fields of the page that is being read.
#[derive(Default)]
struct Page {
    is_open: bool,
    /// Its closing balance was read.
    is_complete: bool,
    statement_id: Option<String>,
    account: Option<AccountId>,
    bic: Option<String>,
    sequence: Option<u64>,
}

impl<R: BufRead> Mt940Reader<R> {
    pub(crate) fn new(input: Input<R>, settings: &Settings) -> Result<Self, BankFileError> {
        Ok(Self {
            fields: Fields::new(input)?,
            exponent_of: settings.exponent_of,
            keys: LineKeys::default(),
            page: Page::default(),
            statement: None,
            pending: None,
            intermediate: None,
            ready: None,
            is_finished: false,
        })
    }

    pub(crate) fn position(&self) -> Position {
        self.fields.position()
    }

    pub(crate) fn next_record(&mut self) -> Result<Option<Record>, BankFileError> {
        loop {
            if let Some(record) = self.ready.take() {
                return Ok(Some(record));
            }
            if self.is_finished {
                return Ok(None);
            }
            let record = match self.fields.next()? {
                Some(field) => {
                    self.field(&field).map_err(|fault| fault.at(field.position, format!(":{}:", field.tag)))?
                }
                None => self.end_of_file().map_err(|fault| fault.at(self.fields.position(), ""))?,
            };
            if record.is_some() {
                return Ok(record);
            }
        }
    }

    fn field(&mut self, field: &Field) -> Result<Option<Record>, Fault> {
        let text = field.text.as_str();
        match field.tag.as_str() {
            "20" => self.begin_page(text).map(|()| None),
            _ if !self.page.is_open => Err(Fault::new(
                FaultKind::Syntax,
                format!(":{}: stands outside of a statement", field.tag),
                "Begin every statement with :20:.",
            )),
            "25" | "25P" => {
                self.page.read_account(text, self.exponent_of);
                Ok(None)
            }
            "28" | "28C" => {
                self.page.sequence = text.split('/').next().and_then(|number| number.trim().parse().ok());
                Ok(None)
            }
            "60F" => self.opening(text, false),
            "60M" => self.opening(text, true),
            "61" => self.line(field),
            "86" => self.info(text).map(|()| None),
            "62F" => self.closing(text, false),
            "62M" => self.closing(text, true),
            // Available balances, related references and fields of national use say nothing about booked lines.
            _ => Ok(None),
        }
    }

    fn begin_page(&mut self, text: &str) -> Result<(), Fault> {
        if self.page.is_open && !self.page.is_complete {
            return Err(no_closing_balance());
        }
        self.page = Page { is_open: true, statement_id: Some(text.trim().to_owned()), ..Page::default() };
        Ok(())
    }

    fn opening(&mut self, text: &str, is_intermediate: bool) -> Result<Option<Record>, Fault> {
        let (opening, currency) = balance(text, self.exponent_of)?;
        self.page.is_complete = false;
        let Some(account) = self.page.account.clone() else {
            return Err(Fault::new(
                FaultKind::Missing,
                ":25: is missing",
                "Name the account before the opening balance.",
            ));
        };
        let ended = match (self.statement.take(), self.intermediate.take()) {
            (Some(open), Some(closing)) if is_intermediate && self.continues(&open, &account) => {
                check_page(&open, closing, opening, currency)?;
                self.statement = Some(open);
                return Ok(None);
            }
            (Some(open), Some(closing)) => Some(Record::EndOfStatement(open.end(Some(closing), true)?)),
            (Some(_), None) => return Err(no_closing_balance()),
            (None, _) => None,
        };
        let head = StatementHead {
            account,
            bic: self.page.bic.take(),
            currency,
            statement_id: self.page.statement_id.clone(),
            sequence: self.page.sequence,
            from: None,
            to: None,
            opening: Some(opening),
            closing: None,
        };
        self.statement = Some(OpenStatement::new(head.clone()));
        let begun = Record::Statement(head);
        Ok(Some(match ended {
            Some(ended) => {
                self.ready = Some(begun);
                ended
            }
            None => begun,
        }))
    }

    /// The same account and statement number: the next page.
    fn continues(&self, open: &OpenStatement, account: &AccountId) -> bool {
        open.head.account == *account && open.head.sequence == self.page.sequence
    }

    fn line(&mut self, field: &Field) -> Result<Option<Record>, Fault> {
        let record = self.take_pending()?;
        let statement = self.open_statement()?;
        let draft = statement_line(&field.text, statement.head.currency)?;
        self.pending = Some((draft, field.position));
        Ok(record)
    }

    fn info(&mut self, text: &str) -> Result<(), Fault> {
        // Without a line before it, or after the closing balance, it is about the whole statement.
        let Some((draft, _)) = &mut self.pending else { return Ok(()) };
        let info = read_info(text);
        let supplement = draft.party.remittance.take();
        let customer_reference = draft.party.end_to_end_id.take();
        draft.party = info.party;
        draft.party.end_to_end_id = draft.party.end_to_end_id.take().or(customer_reference);
        draft.party.remittance = draft.party.remittance.take().or(supplement);
        if let (Some(kind), Some(code)) = (&mut draft.transaction_code, info.business_code) {
            kind.push('+');
            kind.push_str(&code);
        }
        Ok(())
    }

    fn closing(&mut self, text: &str, is_intermediate: bool) -> Result<Option<Record>, Fault> {
        let line = self.take_pending()?;
        let (closing, currency) = balance(text, self.exponent_of)?;
        let statement = self.open_statement()?;
        if currency != statement.head.currency {
            let problem = format!(
                "the closing balance is in {}, the opening balance in {}",
                currency.code(),
                statement.head.currency.code()
            );
            return Err(Fault::new(FaultKind::Currency, problem, "Ask the bank for one statement per currency."));
        }
        statement.check_balance(closing)?;
        self.page.is_complete = true;
        if is_intermediate {
            self.intermediate = Some(closing);
            return Ok(line);
        }
        let Some(statement) = self.statement.take() else { return Ok(line) };
        let end = Record::EndOfStatement(statement.end(Some(closing), false)?);
        Ok(Some(match line {
            Some(line) => {
                self.ready = Some(end);
                line
            }
            None => end,
        }))
    }

    /// The line before, now that nothing can be added to it.
    fn take_pending(&mut self) -> Result<Option<Record>, Fault> {
        let Some((draft, _)) = self.pending.take() else { return Ok(None) };
        let Some(statement) = &mut self.statement else { return Ok(None) };
        Ok(Some(Record::Line(Box::new(statement.add(draft, &mut self.keys)?))))
    }

    fn open_statement(&mut self) -> Result<&mut OpenStatement, Fault> {
        let is_between_pages = self.intermediate.is_some();
        match &mut self.statement {
            Some(statement) if !is_between_pages => Ok(statement),
            _ => Err(Fault::new(
                FaultKind::Missing,
                "the opening balance :60F: is missing",
                "Ask the bank for a complete statement.",
            )),
        }
    }

    fn end_of_file(&mut self) -> Result<Option<Record>, Fault> {
        self.is_finished = true;
        if !self.page.is_open {
            return Err(Fault::new(FaultKind::Missing, "the file has no :20: field", "Send an MT940 statement."));
        }
        if !self.page.is_complete {
            return Err(no_closing_balance());
        }
        match (self.statement.take(), self.intermediate.take()) {
            (Some(open), Some(closing)) => Ok(Some(Record::EndOfStatement(open.end(Some(closing), true)?))),
            _ => Ok(None),
        }
    }
}

impl Page {
    /// `:25:` holds an IBAN, or a bank and an account number; German banks add the currency, others the BIC.
    fn read_account(&mut self, text: &str, exponent_of: ExponentOf) {
        let text = text.lines().next().unwrap_or_default().trim();
        let (bank, number) = text.split_once('/').unwrap_or(("", text));
        let without_currency = number
            .len()
            .checked_sub(3)
            .and_then(|end| Some((number.get(..end)?, number.get(end..)?)))
            .filter(|(_, code)| Currency::parse(code, exponent_of).is_ok())
            .map(|(number, _)| number.trim_end());
        let candidates = [Some(number), without_currency];
        if let Some(iban) = candidates.into_iter().flatten().find_map(iban) {
            self.bic = (!bank.is_empty()).then(|| bank.to_owned());
            self.account = Some(AccountId::Iban(iban));
            return;
        }
        let number = without_currency.unwrap_or(number);
        let full = if bank.is_empty() { number.to_owned() } else { format!("{bank}/{number}") };
        self.account = (!full.is_empty()).then(|| AccountId::parse(&full));
    }
}

fn check_page(open: &OpenStatement, closing: Balance, opening: Balance, currency: Currency) -> Result<(), Fault> {
    if closing.minor == opening.minor && currency == open.head.currency {
        return Ok(());
    }
    let problem = format!(
        "the page opens with {}, but the page before closed with {}",
        currency.show(opening.minor.into()),
        open.head.currency.show(closing.minor.into())
    );
    Err(Fault::new(FaultKind::Balance, problem, "Send all pages of the statement in their order."))
}

fn no_closing_balance() -> Fault {
    Fault::new(FaultKind::Truncated, "the statement has no closing balance :62F:", "Send the complete file.")
}
