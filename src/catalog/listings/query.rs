//! What may be asked of the catalogue: parameters in, one checked filter out.

use std::str::FromStr;

use entity::{
    Timestamp,
    ids::{ListingId, OrgId},
    states::{ListingState, Theme},
};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::fields::{check_bbox, normal_tag};
use crate::{
    base::Currency,
    catalog::tokens::{Needle, needles},
    error::{Check, Error, Result},
    http::extract::{page_cursor, page_limit},
    limits,
};

/// Values of one list parameter.
const VALUES_MAX: usize = 20;

/// Filters, order and page of the catalogue.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchQuery {
    /// Words that must all occur in title, summary, tags, place, use cases or provider. Words of three letters and
    /// more also match the beginning of a longer one; 台 and 臺, ø and oe are the same.
    #[param(example = "water level", max_length = 200)]
    pub q: Option<String>,
    /// Subject areas, separated by commas or repeated; any of them.
    #[param(example = "environment,transport")]
    pub theme: Option<String>,
    /// Tags, separated by commas or repeated; all of them.
    #[param(example = "water")]
    pub tag: Option<String>,
    /// Licence codes, separated by commas or repeated; any of them.
    #[param(example = "CC-BY-4.0")]
    pub licence: Option<String>,
    /// Formats of the current files, separated by commas or repeated; any of them.
    #[param(example = "csv")]
    pub format: Option<String>,
    /// With a free offer, or without one.
    pub free: Option<bool>,
    /// With an offer at a price, or without one.
    pub paid: Option<bool>,
    /// Currency of the price range and of the sort by price.
    #[param(example = "DKK")]
    pub price_currency: Option<String>,
    /// Lowest price in minor units, inclusive.
    #[param(minimum = 0, example = 0)]
    pub price_min_minor: Option<i64>,
    /// Highest price in minor units, inclusive.
    #[param(minimum = 0, example = 50000)]
    pub price_max_minor: Option<i64>,
    /// Who provides it.
    pub provider: Option<String>,
    /// Touches this box: west, south, east, north in degrees.
    #[param(example = "135.4,35.3,136.9,36.3")]
    pub bbox: Option<String>,
    /// Changed at or after this instant, RFC 3339.
    #[param(example = "2026-11-01T00:00:00Z")]
    pub updated_since: Option<String>,
    /// `updated` (newest change first), `published` (newest first) or `price` (lowest first, free offers as zero,
    /// listings without a price in `price_currency` last).
    #[param(example = "updated")]
    pub sort: Option<String>,
    /// Count the values of the whole filtered set, not just of this page.
    pub facets: Option<bool>,
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Parameters of an owner's own list.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OwnQuery {
    /// Only listings in this state: `draft`, `in_review`, `published` or `retired`.
    #[param(example = "draft")]
    pub state: Option<String>,
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// The list parameters that may be repeated instead of separated by commas.
pub(super) const REPEATABLE: [&str; 4] = ["theme", "tag", "licence", "format"];

/// In which order rows come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sort {
    /// Newest change first.
    Updated,
    /// Newest publication first.
    Published,
    /// Lowest price in this currency first.
    Price(Currency),
}

/// The place after the last row of a page; of use for the same order only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// The order it belongs to.
    pub sort: Sort,
    /// The sort key of the last row: microseconds or minor units.
    pub key: i64,
    /// The last row.
    pub id: ListingId,
}

/// Reads the cursor of a list in this order, if there is one.
///
/// # Errors
/// [`Problem::Invalid`](crate::error::Problem::Invalid) for one that this list did not return in this order.
pub(super) fn cursor_in(sort: Sort, text: Option<&str>) -> Result<Option<Cursor>> {
    let after: Option<Cursor> = page_cursor(text)?;
    if after.is_some_and(|after| after.sort != sort) {
        return Err(Error::invalid("cursor", "This cursor belongs to another order. Start without a cursor."));
    }
    Ok(after)
}

/// Which listings are asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Filter {
    /// What must occur; `Some` and empty matches nothing.
    pub needles: Option<Vec<Needle>>,
    /// Any of these.
    pub themes: Vec<Theme>,
    /// All of these.
    pub tags: Vec<String>,
    /// Any of these.
    pub licences: Vec<String>,
    /// Any of these.
    pub formats: Vec<String>,
    /// With or without a free offer.
    pub free: Option<bool>,
    /// With or without a paid offer.
    pub paid: Option<bool>,
    /// A price in this currency, between these, both inclusive.
    pub price: Option<(Currency, i64, i64)>,
    /// Of this provider.
    pub provider: Option<OrgId>,
    /// Touches this box of west, south, east, north.
    pub bbox: Option<[f64; 4]>,
    /// Changed at or after this.
    pub updated_since: Option<Timestamp>,
}

/// One page of a search.
#[derive(Debug, Clone)]
pub(super) struct Search {
    /// Which listings.
    pub filter: Filter,
    /// In which order.
    pub sort: Sort,
    /// After which row.
    pub after: Option<Cursor>,
    /// How many rows.
    pub limit: usize,
}

impl SearchQuery {
    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Problem::Invalid`](crate::error::Problem::Invalid), naming each parameter to change.
    pub(super) fn checked(&self) -> Result<Search> {
        let mut check = Check::new();
        let q = self.q.as_deref().unwrap_or_default();
        let most = limits::SEARCH_CHARS_MAX;
        check.require(q.chars().count() <= most, "q", format!("Search for at most {most} characters."));
        let currency: Option<Currency> = parsed(&mut check, "price_currency", self.price_currency.as_deref());
        let price = self.price(&mut check, currency);
        let sort = self.sort(&mut check, currency);
        let filter = Filter {
            needles: (!q.trim().is_empty()).then(|| needles(q).into_iter().collect()),
            themes: words(&mut check, "theme", self.theme.as_deref())
                .iter()
                .filter_map(|word| parsed(&mut check, "theme", Some(word)))
                .collect(),
            tags: words(&mut check, "tag", self.tag.as_deref()).iter().map(|tag| normal_tag(tag)).collect(),
            licences: words(&mut check, "licence", self.licence.as_deref()),
            formats: words(&mut check, "format", self.format.as_deref()),
            free: self.free,
            paid: self.paid,
            price,
            provider: parsed(&mut check, "provider", self.provider.as_deref()),
            bbox: self.bbox(&mut check),
            updated_since: self.updated_since(&mut check),
        };
        check.done()?;
        let after = cursor_in(sort, self.cursor.as_deref())?;
        Ok(Search { filter, sort, after, limit: page_limit(self.limit)? })
    }

    fn price(&self, check: &mut Check, currency: Option<Currency>) -> Option<(Currency, i64, i64)> {
        let (min, max) = (self.price_min_minor, self.price_max_minor);
        for (bound, name) in [(min, "price_min_minor"), (max, "price_max_minor")] {
            check.require(bound.is_none_or(|minor| minor >= 0), name, "A price is not negative.");
        }
        if min.is_none() && max.is_none() {
            return None;
        }
        let named = self.price_currency.is_some();
        check.require(named, "price_currency", "Name the currency of the price range, as in price_currency=DKK.");
        let (low, high) = (min.unwrap_or(0), max.unwrap_or(i64::MAX));
        check.require(low <= high, "price_max_minor", "The highest price is not below the lowest.");
        currency.map(|currency| (currency, low, high))
    }

    fn sort(&self, check: &mut Check, currency: Option<Currency>) -> Sort {
        match (self.sort.as_deref(), currency) {
            (None | Some("updated"), _) => Sort::Updated,
            (Some("published"), _) => Sort::Published,
            (Some("price"), Some(currency)) => Sort::Price(currency),
            (Some("price"), None) => {
                let named = self.price_currency.is_some();
                check.require(named, "price_currency", "Name the currency to sort by, as in price_currency=DKK.");
                Sort::Updated
            }
            (Some(_), _) => {
                check.require(false, "sort", "Sort by updated, published or price.");
                Sort::Updated
            }
        }
    }

    fn bbox(&self, check: &mut Check) -> Option<[f64; 4]> {
        let text = self.bbox.as_deref()?;
        let numbers: Option<Vec<f64>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
        let bbox: Option<[f64; 4]> = numbers.and_then(|numbers| numbers.try_into().ok());
        match bbox {
            Some(bbox) => check_bbox(check, bbox, "bbox"),
            None => {
                check.require(false, "bbox", "Write four numbers: west,south,east,north.");
            }
        }
        bbox
    }

    fn updated_since(&self, check: &mut Check) -> Option<Timestamp> {
        let text = self.updated_since.as_deref()?;
        let at = OffsetDateTime::parse(text, &Rfc3339).ok();
        check.require(at.is_some(), "updated_since", "Write an RFC 3339 time, as in 2026-11-01T00:00:00Z.");
        at.map(Timestamp)
    }
}

impl OwnQuery {
    /// The state asked for.
    ///
    /// # Errors
    /// [`Problem::Invalid`](crate::error::Problem::Invalid) for another word.
    pub(super) fn state(&self) -> Result<Option<ListingState>> {
        let mut check = Check::new();
        let state = parsed(&mut check, "state", self.state.as_deref());
        check.done()?;
        Ok(state)
    }
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(check: &mut Check, name: &str, text: Option<&str>) -> Option<T> {
    match text?.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            check.require(false, name, format!("Not taken here: {error}."));
            None
        }
    }
}

fn words(check: &mut Check, name: &str, text: Option<&str>) -> Vec<String> {
    let words = text.unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(str::to_owned).collect();
    check.require(words.len() <= VALUES_MAX, name, format!("Ask for at most {VALUES_MAX} values."));
    for word in &words {
        check.at_most(word, limits::SEARCH_CHARS_MAX, name);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(query: &SearchQuery) -> String {
        query.checked().expect_err("refused").fields[0].pointer.clone()
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn each_bad_parameter_is_named() {
        let none = SearchQuery::default;
        assert_eq!(refused(&SearchQuery { theme: text("weather"), ..none() }), "theme");
        assert_eq!(refused(&SearchQuery { bbox: text("1,2,3"), ..none() }), "bbox");
        assert_eq!(refused(&SearchQuery { bbox: text("NaN,0,1,1"), ..none() }), "bbox");
        assert_eq!(refused(&SearchQuery { bbox: text("5,0,1,1"), ..none() }), "bbox");
        assert_eq!(refused(&SearchQuery { updated_since: text("yesterday"), ..none() }), "updated_since");
        assert_eq!(refused(&SearchQuery { price_max_minor: Some(5), ..none() }), "price_currency");
        let negative = SearchQuery { price_min_minor: Some(-1), price_currency: text("DKK"), ..none() };
        assert_eq!(refused(&negative), "price_min_minor");
        assert_eq!(refused(&SearchQuery { price_currency: text("XTS"), ..none() }), "price_currency");
        assert_eq!(refused(&SearchQuery { sort: text("price"), ..none() }), "price_currency");
        assert_eq!(refused(&SearchQuery { sort: text("title"), ..none() }), "sort");
        assert_eq!(refused(&SearchQuery { provider: text("org_1"), ..none() }), "provider");
        assert_eq!(refused(&SearchQuery { cursor: text("%%"), ..none() }), "cursor");
        assert_eq!(refused(&SearchQuery { limit: Some(0), ..none() }), "limit");
        assert_eq!(refused(&SearchQuery { q: Some("a".repeat(201)), ..none() }), "q");
        assert_eq!(refused(&SearchQuery { tag: text("a\u{0}"), ..none() }), "tag");
    }

    #[test]
    fn a_cursor_of_another_order_is_refused() {
        let id = ListingId::at(OffsetDateTime::UNIX_EPOCH);
        let cursor = crate::base::page::encode_cursor(&Cursor { sort: Sort::Updated, key: 1, id });
        assert!(SearchQuery { cursor: Some(cursor.clone()), ..SearchQuery::default() }.checked().is_ok());
        let other = SearchQuery { cursor: Some(cursor), sort: text("published"), ..SearchQuery::default() };
        assert_eq!(refused(&other), "cursor");
    }

    #[test]
    fn a_query_of_signs_alone_matches_nothing_and_an_empty_one_everything() {
        let of = |q: &str| {
            SearchQuery { q: text(q), ..SearchQuery::default() }
                .checked()
                .expect("good")
                .filter
                .needles
                .map(|n| n.len())
        };
        assert_eq!(of("%"), Some(0));
        assert_eq!(of(" "), None);
    }
}
