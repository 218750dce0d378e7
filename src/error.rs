//! The one error of the exchange, free of any transport.
//!
//! Every failure names a [`Problem`] of the registry below, says in `detail` what to change, and
//! keeps its private cause apart: the cause is logged, never sent.

use crate::limits;
use std::{error::Error as StdError, fmt};

use serde::{Deserialize, Serialize};

macro_rules! problems {
    ($($(#[$doc:meta])* $variant:ident = $status:literal $slug:literal $title:literal,)+) => {
        /// A kind of failure, with the status, the stable name and the title it is sent with.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Problem { $($(#[$doc])* $variant,)+ }

        impl Problem {
            /// Every kind, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// HTTP status (three digits).
            pub const fn status(self) -> u16 { match self { $(Self::$variant => $status),+ } }

            /// The stable name; `type` is `/problems/{slug}`. Never reused for another meaning.
            pub const fn slug(self) -> &'static str { match self { $(Self::$variant => $slug),+ } }

            /// One line for people.
            pub const fn title(self) -> &'static str { match self { $(Self::$variant => $title),+ } }
        }
    };
}

problems! {
    /// The request can't be read: broken JSON, a wrong content type, a malformed header.
    Malformed = 400 "malformed-request" "The request can't be read",
    /// No credentials, or ones that don't hold.
    Unauthenticated = 401 "unauthenticated" "Log in first",
    /// The processor refused the payment.
    PaymentDeclined = 402 "payment-declined" "The payment was declined",
    /// A known thing, a missing right.
    Forbidden = 403 "forbidden" "Your role does not allow this",
    /// The law keeps this data free.
    PriceGuard = 403 "price-guard" "This data must be free",
    /// Unknown, or not yours: the two look the same.
    NotFound = 404 "not-found" "Not found",
    /// The path exists, the method does not.
    MethodNotAllowed = 405 "method-not-allowed" "This address does not take that method",
    /// The state of the thing forbids it.
    Conflict = 409 "conflict" "The present state does not allow this",
    /// The same key came with another body.
    IdempotencyKeyReused = 409 "idempotency-key-reused" "This idempotency key was used for another request",
    /// The licence accepted is not the one the offer has now.
    LicenceChanged = 409 "licence-changed" "The licence is not the one you accepted",
    /// The order would cost something else than the buyer expects.
    PriceChanged = 409 "price-changed" "The price is not the one you expect",
    /// It was there and is gone: an expired link, an ended grant.
    Gone = 410 "gone" "No longer available",
    /// Somebody else edited it since it was read.
    EditedMeanwhile = 412 "edited-meanwhile" "It was changed since you read it",
    /// The body is larger than the limit.
    TooLarge = 413 "too-large" "Larger than the limit",
    /// The content type is not one this address takes.
    UnsupportedMediaType = 415 "unsupported-media-type" "This content type is not taken here",
    /// No such part of the file.
    RangeNotSatisfiable = 416 "range-not-satisfiable" "The file has no such range",
    /// Well-formed, but invalid; `errors` points at each place.
    Invalid = 422 "invalid-input" "Some values need to be changed",
    /// SQL that can't be read.
    SqlSyntax = 422 "sql-syntax" "This is not SQL",
    /// SQL over a table that is not there, or not yours.
    SqlUnknownTable = 422 "sql-unknown-table" "The query names a table that is not there",
    /// SQL over a column that its tables don't have.
    SqlUnknownColumn = 422 "sql-unknown-column" "The query names a column that is not there",
    /// SQL that does something else than to read.
    SqlNotAQuery = 422 "sql-not-a-query" "Only queries are carried out here",
    /// SQL that fails on its data, or by its types.
    SqlFailed = 422 "sql-failed" "The query can't be carried out as it is",
    /// SQL that needs more memory or working files than it may.
    SqlOutOfMemory = 422 "sql-out-of-memory" "The query needs too much memory",
    /// SQL that takes longer than it may.
    SqlTooSlow = 422 "sql-too-slow" "The query takes too long",
    /// SQL with more rows or bytes than a result may have.
    SqlTooLarge = 422 "sql-too-large" "The result is too large",
    /// SQL whose process was ended by the system.
    SqlStopped = 422 "sql-stopped" "The query was stopped",
    /// An edit without `If-Match`.
    PreconditionRequired = 428 "precondition-required" "Send the ETag you read in If-Match",
    /// Too many requests.
    TooMany = 429 "too-many-requests" "Too many requests",
    /// Our fault.
    Internal = 500 "internal-error" "Something went wrong on our side",
    /// This exchange was set up without it.
    NotOffered = 501 "not-offered" "Not offered by this exchange",
    /// Try again shortly.
    Unavailable = 503 "unavailable" "Not available right now",
}

/// One value of the request that needs to be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldError {
    /// JSON pointer into the body (`/price_minor`), or the name of a parameter.
    pub pointer: String,
    /// What to change, as a sentence.
    pub detail: String,
}

/// A failure: its kind, what may be told, and what may not.
#[derive(Debug)]
pub struct Error {
    /// The kind, which decides status and `type`.
    pub problem: Problem,
    /// Safe to send; says what to change.
    pub detail: String,
    /// The places to change, for [`Problem::Invalid`].
    pub fields: Vec<FieldError>,
    /// Seconds after which another try makes sense.
    pub retry_after_seconds: Option<u32>,
    /// The private cause, for the log alone.
    pub cause: Option<Box<dyn StdError + Send + Sync>>,
}

/// What fallible functions of the exchange return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure of some kind with a sentence for the caller.
    pub fn new(problem: Problem, detail: impl Into<String>) -> Self {
        Self { problem, detail: detail.into(), fields: Vec::new(), retry_after_seconds: None, cause: None }
    }

    /// Unknown or not yours; `what` names the kind of thing (`"order"`).
    pub fn not_found(what: &str) -> Self {
        Self::new(Problem::NotFound, format!("There is no {what} here that you may see."))
    }

    /// The present state forbids it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(Problem::Conflict, detail)
    }

    /// The caller is known, the right is missing.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(Problem::Forbidden, detail)
    }

    /// No credentials, or ones that don't hold.
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(Problem::Unauthenticated, detail)
    }

    /// One value that needs to be changed.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }

    /// Several values that need to be changed.
    pub fn invalid_fields(fields: Vec<FieldError>) -> Self {
        let detail = match fields.as_slice() {
            [one] => one.detail.clone(),
            many => format!("{} values need to be changed; see errors.", many.len()),
        };
        Self { fields, ..Self::new(Problem::Invalid, detail) }
    }

    /// Our own failure; the cause goes to the log.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let detail = "The request was not carried out. Try again; if it stays, tell the operator the request id.";
        Self { cause: Some(cause.into()), ..Self::new(Problem::Internal, detail) }
    }

    /// Busy or down for a moment.
    pub fn unavailable(detail: impl Into<String>, retry_after_seconds: u32) -> Self {
        Self { retry_after_seconds: Some(retry_after_seconds), ..Self::new(Problem::Unavailable, detail) }
    }

    /// The same failure with its private cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.problem.slug(), self.detail)?;
        for field in &self.fields {
            write!(f, " [{}: {}]", field.pointer, field.detail)?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_ref().map(|cause| &**cause as &(dyn StdError + 'static))
    }
}

impl From<crate::base::MoneyError> for Error {
    fn from(cause: crate::base::MoneyError) -> Self {
        Self::new(Problem::Invalid, format!("The sum can't be computed: {cause}.")).because(cause)
    }
}

impl From<serde_json::Error> for Error {
    fn from(cause: serde_json::Error) -> Self {
        Self::internal(cause)
    }
}

/// Collects what is wrong with an input, so that a caller sees everything at once.
#[derive(Debug, Default)]
pub struct Check(Vec<FieldError>);

impl Check {
    /// Nothing wrong yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes `detail` at `pointer` unless `good`.
    pub fn require(&mut self, good: bool, pointer: impl Into<String>, detail: impl Into<String>) -> &mut Self {
        if !good {
            self.0.push(FieldError { pointer: pointer.into(), detail: detail.into() });
        }
        self
    }

    /// Notes that a text is empty, blank or longer than `max_chars`.
    pub fn text(&mut self, text: &str, max_chars: usize, pointer: &str) -> &mut Self {
        self.require(!text.trim().is_empty(), pointer, "Write a text that is not empty.");
        self.at_most(text, max_chars, pointer)
    }

    /// Notes that a text, which may be empty, is longer than `max_chars` or holds control characters.
    pub fn at_most(&mut self, text: &str, max_chars: usize, pointer: &str) -> &mut Self {
        let bad = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        self.require(!text.chars().any(bad), pointer, "Remove the control characters.");
        self.require(text.chars().count() <= max_chars, pointer, format!("Use at most {max_chars} characters."))
    }

    /// Requires the address of a page that a browser can be sent to: https, or this machine while trying things out.
    pub fn web_page(&mut self, url: &str, pointer: &str) -> &mut Self {
        let local = ["http://127.0.0.1", "http://localhost"];
        let safe = url.starts_with("https://") || local.iter().any(|start| url.starts_with(start));
        let one_word = url.chars().all(|c| c.is_ascii_graphic());
        let short = url.len() <= limits::URL_CHARS_MAX;
        let advice = format!("Give an https address of at most {} characters.", limits::URL_CHARS_MAX);
        self.require(safe && one_word && short && url.len() > "https://".len(), pointer, advice)
    }

    /// Notes that a name is empty, longer than `max_chars`, of several lines, or holds characters
    /// that make it look like another.
    pub fn name(&mut self, text: &str, max_chars: usize, pointer: &str) -> &mut Self {
        let hidden = |c: char| matches!(c, '\n' | '\r' | '\t') || crate::base::text::is_deceptive(c);
        self.require(!text.chars().any(hidden), pointer, "Write it in one line, without invisible characters.");
        self.text(text, max_chars, pointer)
    }

    /// Everything that was noted, or success.
    ///
    /// # Errors
    /// [`Problem::Invalid`] with all notes.
    pub fn done(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::invalid_fields(self.0)) }
    }
}
