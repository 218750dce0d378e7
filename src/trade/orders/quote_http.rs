//! Quotes over HTTP.

use axum::extract::State;
use entity::{
    Timestamp,
    ids::{ListingId, OfferId, OrgId},
    states::{Coverage, OfferKind},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    checkout::QuotedLine,
    later::LaterReason,
    quote::{self, Ask, Quote},
};
use crate::{
    auth::actor::Visitor,
    base::{LangText, Money, MoneyError},
    error::{Error, Result},
    http::Json,
    state::AppState,
    trade::{
        prices::Forecast,
        slices::{Slice, SliceIn},
    },
};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create_quote))
}

pub(super) const fn one() -> i32 {
    1
}

/// What to quote.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"offer_id": "off_019352f0a1b27c3d8e4f5061728394a5"}))]
pub struct QuoteIn {
    /// The offer.
    pub offer_id: OfferId,
    /// How many packs, or units of an offer with volume steps; 1 of any other.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 100_000, default = 1)]
    pub quantity: i32,
    /// The code of a coupon of the provider's; you have to be logged in for it.
    #[schema(max_length = 40)]
    pub coupon: Option<String>,
    /// Units you expect to use in a month, for the forecast of a metered offer.
    #[schema(minimum = 0)]
    pub expected_units: Option<i64>,
    /// The part of the rows and columns that you want, at an offer with `plan.slice`; the whole without it.
    pub slice: Option<SliceIn>,
}

/// A line of a quote. `list_price = volume_discount + coupon_discount + net`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5", "provider_id": "org_019352f0a1b27c3d8e4f5061728394a5",
    "title": {"en": "River levels"}, "quantity": 1, "list_price": {"minor": 10001, "currency": "EUR"},
    "volume_discount": {"minor": 0, "currency": "EUR"}, "coupon_discount": {"minor": 0, "currency": "EUR"},
    "net": {"minor": 10001, "currency": "EUR"}, "due": {"minor": 10001, "currency": "EUR"},
    "tax": {"minor": 0, "currency": "EUR"}, "tax_bps": 0, "tax_category": "O", "total": {"minor": 10001, "currency": "EUR"},
    "provider_share": {"minor": 8001, "currency": "EUR"}, "operator_share": {"minor": 2000, "currency": "EUR"},
    "fee_bps": 2000, "through_revision": 3
}))]
pub struct QuoteLineView {
    /// What.
    pub listing_id: ListingId,
    /// Who sells.
    pub provider_id: OrgId,
    /// The listing's title.
    pub title: LangText,
    /// How many units.
    pub quantity: i32,
    /// The price of all units, before anything is taken off.
    pub list_price: Money,
    /// What the quantity takes off.
    pub volume_discount: Money,
    /// What the coupon takes off what is left.
    pub coupon_discount: Money,
    /// The price that is left.
    pub net: Money,
    /// What of it is due with the order; the rest is in the schedule.
    pub due: Money,
    /// Tax on what is due.
    pub tax: Money,
    /// Its rate in basis points.
    pub tax_bps: i32,
    /// Its category by EN 16931: `S` standard rate, `AE` you account for it yourself, `O` not charged by this seller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax_category: Option<&'static str>,
    /// What you pay for it with the order.
    pub total: Money,
    /// What of it the provider receives.
    pub provider_share: Money,
    /// What of it the operator keeps.
    pub operator_share: Money,
    /// The operator's part in basis points.
    pub fee_bps: u32,
    /// The newest revision.
    pub through_revision: i32,
}

impl QuoteLineView {
    fn of(line: &QuotedLine, quantity: i32) -> Self {
        let part = |minor| Money::new(minor, line.due.currency);
        Self {
            listing_id: line.listing_id,
            provider_id: line.provider_id,
            title: line.title.clone(),
            quantity,
            list_price: part(line.priced.list_minor),
            volume_discount: part(line.priced.volume_minor),
            coupon_discount: part(line.priced.coupon_minor),
            net: part(line.priced.net_minor),
            due: line.due,
            tax: part(line.tax.minor),
            tax_bps: line.tax.bps,
            tax_category: line.tax.category,
            total: part(line.due.minor + line.tax.minor),
            provider_share: line.split.provider,
            operator_share: line.split.operator,
            fee_bps: line.fee.bps,
            through_revision: line.revision_number,
        }
    }
}

/// Something that is charged later without another order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"reason": "renewal", "due_at": "2027-11-21T10:00:00Z", "amount": {"minor": 10001, "currency": "EUR"},
    "total": {"minor": 12501, "currency": "EUR"}}))]
pub struct LaterView {
    /// Why.
    pub reason: LaterReason,
    /// When, if you order now.
    pub due_at: Timestamp,
    /// How much, before tax.
    pub amount: Money,
    /// How much with tax, by the rules of today. The tax is decided anew when it is charged: it follows your tax profile
    /// and the rates of then.
    pub total: Money,
}

/// What a month of a metered offer costs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "expected_units": 50000, "low": {"minor": 10000, "currency": "EUR"}, "expected": {"minor": 22000, "currency": "EUR"},
    "high": {"minor": 42000, "currency": "EUR"}
}))]
pub struct ForecastView {
    /// Units of the month.
    pub expected_units: i64,
    /// With half as many.
    pub low: Money,
    /// With as many as you expect.
    pub expected: Money,
    /// With twice as many.
    pub high: Money,
}

/// Exactly what an order would cost and give. The sums over the lines are those of the order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "offer_id": "off_019352f0a1b27c3d8e4f5061728394a5", "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5",
    "title": {"en": "River levels"}, "kind": "one_off", "total": {"minor": 10001, "currency": "EUR"},
    "tax": {"minor": 0, "currency": "EUR"},
    "provider_share": {"minor": 8001, "currency": "EUR"}, "operator_share": {"minor": 2000, "currency": "EUR"},
    "fee_bps": 2000, "lines": [], "schedule": [], "licence_hash": "5f6a…", "approval_required": false,
    "coverage": "snapshot", "through_revision": 3
}))]
pub struct QuoteView {
    /// The offer.
    pub offer_id: OfferId,
    /// What is offered; of a bundle, its first listing.
    pub listing_id: ListingId,
    /// Its title.
    pub title: LangText,
    /// How it is priced.
    pub kind: OfferKind,
    /// What you pay with the order, in all. Send it as `expected_total` to be sure of it.
    pub total: Money,
    /// What of it is tax.
    pub tax: Money,
    /// What of it the providers receive.
    pub provider_share: Money,
    /// What of it the operator keeps.
    pub operator_share: Money,
    /// The operator's part in basis points; of a bundle, that of its first line.
    pub fee_bps: u32,
    /// One line, or one for each listing of a bundle.
    pub lines: Vec<QuoteLineView>,
    /// What is charged later: the price at the end of a trial, instalments, and the first renewal.
    pub schedule: Vec<LaterView>,
    /// What a month of a metered offer costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast: Option<ForecastView>,
    /// Until when a trial costs nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial_until: Option<Timestamp>,
    /// Months the grant lasts; absent without an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term_months: Option<i32>,
    /// The terms: read `GET /api/v1/licence-documents/{hash}`, and send the hash with the order.
    pub licence_hash: String,
    /// The provider looks at each order first.
    pub approval_required: bool,
    /// Which revisions the grant will cover.
    pub coverage: Coverage,
    /// The newest revision.
    pub through_revision: i32,
    /// The part that is quoted, counted exactly: send what you asked for with the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slice: Option<Slice>,
}

impl TryFrom<Quote> for QuoteView {
    type Error = Error;

    fn try_from(quote: Quote) -> Result<Self> {
        let Quote { offer, quantity, checkout, slice, .. } = quote;
        let first = checkout.lines.first().ok_or_else(|| Error::internal("a quote without a line"))?;
        let money = |minor| Money::new(minor, checkout.total.currency);
        let sum = |part: fn(&QuotedLine) -> Money| {
            checkout.lines.iter().try_fold(money(0), |sum, line| sum.checked_add(part(line)))
        };
        let forecast = |found: Forecast| ForecastView {
            expected_units: found.expected_units,
            low: money(found.low_minor),
            expected: money(found.expected_minor),
            high: money(found.high_minor),
        };
        let later = checkout.schedule.iter();
        Ok(Self {
            offer_id: offer.id,
            listing_id: first.listing_id,
            title: first.title.clone(),
            kind: offer.kind,
            total: checkout.total,
            tax: money(checkout.tax_minor),
            provider_share: sum(|line| line.split.provider).map_err(|error: MoneyError| Error::internal(error))?,
            operator_share: sum(|line| line.split.operator).map_err(|error: MoneyError| Error::internal(error))?,
            fee_bps: first.fee.bps,
            lines: checkout.lines.iter().map(|line| QuoteLineView::of(line, quantity)).collect(),
            schedule: later
                .map(|later| LaterView {
                    reason: later.reason,
                    due_at: Timestamp(later.due_at),
                    amount: later.amount,
                    total: later.total,
                })
                .collect(),
            forecast: checkout.forecast.map(forecast),
            trial_until: checkout.trial_until.map(Timestamp),
            term_months: offer.term_months,
            licence_hash: offer.licence_hash,
            approval_required: offer.approval_required,
            coverage: offer.coverage,
            through_revision: first.revision_number,
            slice,
        })
    }
}

/// Computes exactly what an order would cost; nothing is written.
#[utoipa::path(post, path = "/quotes", tag = "trade", security((), ("bearer" = [])), request_body = QuoteIn,
    responses(
        (status = 200, description = "The quote", body = QuoteView),
        (status = 404, description = "No such offer is open to you"),
        (status = 409, description = "The bundle is not complete, the coupon is used up, or the rows for slices are still being counted")))]
pub async fn create_quote(
    State(app): State<AppState>,
    visitor: Visitor,
    Json(input): Json<QuoteIn>,
) -> Result<Json<QuoteView>> {
    let QuoteIn { offer_id, quantity, coupon, expected_units, slice } = input;
    let ask = Ask { offer_id, quantity, coupon, expected_units, slice };
    let quote = quote::quote(&app, &ask, visitor.org_id()).await?;
    Ok(Json(quote.try_into()?))
}
