//! The rules of coupons.

use entity::{
    coupon,
    ids::{ListingId, OfferId, OrgId},
    states::CouponScope,
};
use serde_json::json;
use time::OffsetDateTime;

use crate::{
    base::{Currency, Money, money::FULL_BPS},
    error::{Check, Result},
    limits,
    trade::prices::Reduction,
};

/// What a provider asks for, before it was checked.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub code: String,
    pub percent_bps: Option<u32>,
    pub off: Option<Money>,
    pub listings: Option<Vec<ListingId>>,
    pub offers: Option<Vec<OfferId>>,
    pub valid_from: Option<OffsetDateTime>,
    pub valid_until: Option<OffsetDateTime>,
    pub redemptions_max: Option<i32>,
    pub per_buyer_max: Option<i32>,
}

/// The way a code is kept and compared: in capitals, without blanks around it.
pub(super) fn normalised(code: &str) -> String {
    code.trim().to_ascii_uppercase()
}

impl Draft {
    /// Checks everything that needs no database.
    ///
    /// # Errors
    /// `Invalid` with everything that has to change.
    pub(super) fn check(&self, now: OffsetDateTime) -> Result<()> {
        let mut check = Check::new();
        let code = normalised(&self.code);
        let (fewest, most) = (limits::COUPON_CODE_CHARS_MIN, limits::COUPON_CODE_CHARS_MAX);
        let plain = code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-');
        let detail = format!("Use {fewest} to {most} letters A to Z, digits and hyphens.");
        check.require(plain && (fewest..=most).contains(&code.len()), "/code", detail);
        let one = self.percent_bps.is_some() != self.off.is_some();
        check.require(one, "/percent_bps", "Give either percent_bps, or a sum in off.");
        let some = self.percent_bps.is_none_or(|bps| (1..=FULL_BPS).contains(&bps));
        check.require(some, "/percent_bps", "Give 1 to 10000 basis points.");
        let most = limits::PRICE_MINOR_MAX;
        let some = self.off.is_none_or(|off| (1..=most).contains(&off.minor));
        check.require(some, "/off/minor", format!("Give 1 to {most} minor units."));
        self.check_targets(&mut check);
        let begins = self.valid_from.unwrap_or(now);
        let later = self.valid_until.is_none_or(|until| until > begins && until > now);
        check.require(later, "/valid_until", "Give a time after valid_from, or leave it out.");
        let most = limits::COUPON_REDEMPTIONS_MAX;
        for (count, pointer) in [(self.redemptions_max, "/redemptions_max"), (self.per_buyer_max, "/per_buyer_max")] {
            let good = count.is_none_or(|count| (1..=most).contains(&count));
            check.require(good, pointer, format!("Give 1 to {most}, or leave it out."));
        }
        check.done()
    }

    fn check_targets(&self, check: &mut Check) {
        let both = self.listings.is_some() && self.offers.is_some();
        check.require(!both, "/offers", "Name either listings or offers, or neither for all your offers.");
        let most = limits::COUPON_TARGETS_MAX;
        let named =
            [(self.listings.as_ref().map(Vec::len), "/listings"), (self.offers.as_ref().map(Vec::len), "/offers")];
        for (count, pointer) in named {
            let some = count.is_none_or(|count| (1..=most).contains(&count));
            check.require(some, pointer, format!("Name 1 to {most}, or leave it out."));
        }
    }

    /// What it is for, and the ids that says.
    pub(super) fn scope(&self) -> (CouponScope, serde_json::Value) {
        match (&self.listings, &self.offers) {
            (Some(listings), _) => (CouponScope::Listings, json!(listings)),
            (None, Some(offers)) => (CouponScope::Offers, json!(offers)),
            (None, None) => (CouponScope::All, json!([])),
        }
    }
}

/// True when it holds at `now`, used up or not.
pub(super) fn holds(coupon: &coupon::Model, now: OffsetDateTime) -> bool {
    coupon.ended_at.is_none() && coupon.valid_from.0 <= now && coupon.valid_until.is_none_or(|until| until.0 > now)
}

/// True when it takes something off a line: of its own provider, and within its scope.
pub(super) fn is_for(coupon: &coupon::Model, provider: OrgId, listing: ListingId, offer: OfferId) -> bool {
    let names = |id: String| coupon.targets.as_array().is_some_and(|ids| ids.iter().any(|named| *named == json!(id)));
    coupon.organization_id == provider
        && match coupon.scope {
            CouponScope::All => true,
            CouponScope::Listings => names(listing.to_string()),
            CouponScope::Offers => names(offer.to_string()),
        }
}

/// What it takes off a price in `currency`; nothing for a sum in another.
pub(super) fn reduction(coupon: &coupon::Model, currency: Currency) -> Option<Reduction> {
    match (coupon.off_bps, coupon.off_minor) {
        (Some(bps), _) => u32::try_from(bps).ok().map(Reduction::Percent),
        (None, Some(minor)) => (coupon.currency.as_deref() == Some(currency.code())).then_some(Reduction::Fixed(minor)),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use entity::{Timestamp, ids::CouponId};
    use time::{Duration, macros::datetime};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 10:00 UTC);

    fn draft() -> Draft {
        Draft {
            code: "SPRING-26".to_owned(),
            percent_bps: Some(1_000),
            off: None,
            listings: None,
            offers: None,
            valid_from: None,
            valid_until: None,
            redemptions_max: None,
            per_buyer_max: None,
        }
    }

    fn pointers(draft: &Draft) -> Vec<String> {
        let fields = draft.check(NOW).map_or_else(|error| error.fields, |()| vec![]);
        fields.into_iter().map(|field| field.pointer).collect()
    }

    fn coupon() -> coupon::Model {
        coupon::Model {
            id: CouponId::derived("c"),
            organization_id: OrgId::derived("p"),
            code: "SPRING-26".to_owned(),
            off_bps: Some(1_000),
            off_minor: None,
            currency: None,
            scope: CouponScope::All,
            targets: json!([]),
            valid_from: Timestamp(NOW),
            valid_until: Some(Timestamp(NOW + Duration::DAY)),
            redemptions_max: None,
            per_buyer_max: None,
            redeemed: 0,
            created_at: Timestamp(NOW),
            ended_at: None,
        }
    }

    #[test]
    fn a_coupon_says_what_it_takes_off_once() {
        let euro = Some(Money::new(500, "EUR".parse().expect("in the table")));
        assert!(pointers(&draft()).is_empty());
        assert_eq!(pointers(&Draft { off: euro, ..draft() }), ["/percent_bps"]);
        assert_eq!(pointers(&Draft { percent_bps: None, ..draft() }), ["/percent_bps"]);
        for bps in [0, 10_001] {
            assert_eq!(pointers(&Draft { percent_bps: Some(bps), ..draft() }), ["/percent_bps"], "{bps}");
        }
        let nothing = euro.map(|money| Money { minor: 0, ..money });
        assert_eq!(pointers(&Draft { percent_bps: None, off: nothing, ..draft() }), ["/off/minor"]);
    }

    #[test]
    fn codes_are_long_and_plain() {
        for code in ["SHORT-1", "WITH BLANK", "ÜMLAUT-26", &"X".repeat(41)] {
            assert_eq!(pointers(&Draft { code: code.to_owned(), ..draft() }), ["/code"], "{code}");
        }
        assert!(pointers(&Draft { code: " spring-26 ".to_owned(), ..draft() }).is_empty());
        assert_eq!(normalised(" spring-26 "), "SPRING-26");
    }

    #[test]
    fn limits_and_times_make_sense() {
        assert_eq!(pointers(&Draft { redemptions_max: Some(0), per_buyer_max: Some(0), ..draft() }).len(), 2);
        assert_eq!(pointers(&Draft { valid_until: Some(NOW), ..draft() }), ["/valid_until"]);
        let listings = Some(vec![ListingId::derived("l")]);
        assert_eq!(pointers(&Draft { listings: Some(vec![]), ..draft() }), ["/listings"]);
        assert_eq!(pointers(&Draft { listings, offers: Some(vec![OfferId::derived("o")]), ..draft() }), ["/offers"]);
    }

    #[test]
    fn it_holds_from_its_begin_until_its_end() {
        let at = |seconds| holds(&coupon(), NOW + Duration::seconds(seconds));
        assert_eq!([at(-1), at(0), at(86_399), at(86_400)], [false, true, true, false]);
        assert!(!holds(&coupon::Model { ended_at: Some(Timestamp(NOW)), ..coupon() }, NOW));
    }

    #[test]
    fn it_is_for_what_it_names_of_its_own_provider() {
        let (own, listing, offer) = (OrgId::derived("p"), ListingId::derived("l"), OfferId::derived("o"));
        let is_for = |coupon: &coupon::Model, provider| is_for(coupon, provider, listing, offer);
        assert!(is_for(&coupon(), own) && !is_for(&coupon(), OrgId::derived("q")));
        let of_offer = coupon::Model { scope: CouponScope::Offers, targets: json!([offer]), ..coupon() };
        assert!(is_for(&of_offer, own) && !is_for(&of_offer, OrgId::derived("q")));
        assert!(!is_for(&coupon::Model { targets: json!([OfferId::derived("x")]), ..of_offer }, own));
        let of_listing = coupon::Model { scope: CouponScope::Listings, targets: json!([listing]), ..coupon() };
        assert!(is_for(&of_listing, own));
    }

    #[test]
    fn a_sum_is_taken_off_prices_in_its_currency() {
        let (euro, yen) = ("EUR".parse().expect("in the table"), "JPY".parse().expect("in the table"));
        let fixed = coupon::Model { off_bps: None, off_minor: Some(500), currency: Some("EUR".to_owned()), ..coupon() };
        assert_eq!([reduction(&fixed, euro), reduction(&fixed, yen)], [Some(Reduction::Fixed(500)), None]);
        assert_eq!(reduction(&coupon(), yen), Some(Reduction::Percent(1_000)));
    }
}
