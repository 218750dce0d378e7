//! What documents of an order are made from.

use std::collections::HashMap;

use entity::{
    account,
    ids::{ListingId, OrderId, OrgId},
    listing, order, order_line, payment,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use torv_documents::{Currency, pdf::Language};

use super::render::{currency_of, language_of};
use crate::{
    base::LangText,
    error::{Error, Result},
    people::tax_profiles::{self, Known, TaxProfile},
    ports::payments::{Action, BankInstructions},
};

/// An order with its lines and parties, as they were when it was placed.
pub struct Facts {
    /// The order.
    pub order: order::Model,
    /// Its lines, in their order.
    pub lines: Vec<order_line::Model>,
    /// Its currency.
    pub currency: Currency,
    /// Who runs the exchange.
    pub operator: OrgId,
    /// The language of the buyer.
    pub language: Language,
    /// Where a bank transfer goes, while one is waited for.
    pub transfer: Option<BankInstructions>,
    titles: HashMap<ListingId, LangText>,
    profiles: HashMap<OrgId, Known>,
}

impl Facts {
    /// The profile of a party.
    ///
    /// # Errors
    /// Internal, for an organisation that is none of the order's.
    pub fn profile(&self, org: OrgId) -> Result<&TaxProfile> {
        let known = self.profiles.get(&org).ok_or_else(|| Error::internal(format!("{org} is no party")))?;
        Ok(&known.profile)
    }

    /// What a line is called, in the buyer's language.
    pub fn title(&self, line: &order_line::Model) -> &str {
        self.titles.get(&line.listing_id).map_or("", |title| title.best(self.language.tag()))
    }

    /// The providers, in the order of their first lines.
    pub fn providers(&self) -> Vec<OrgId> {
        let mut providers = Vec::new();
        for line in &self.lines {
            if !providers.contains(&line.provider_id) {
                providers.push(line.provider_id);
            }
        }
        providers
    }
}

/// Reads an order and its parties.
///
/// # Errors
/// `NotFound` for an order that does not exist; those of the database.
pub async fn load(conn: &impl ConnectionTrait, id: OrderId, operator: OrgId) -> Result<Facts> {
    let order = order::Entity::find_by_id(id).one(conn).await?.ok_or_else(|| Error::not_found("order"))?;
    let lines = order_line::Entity::find()
        .filter(order_line::Column::OrderId.eq(id))
        .order_by_asc(order_line::Column::LineNo)
        .all(conn)
        .await?;
    let listings: Vec<(ListingId, serde_json::Value)> = listing::Entity::find()
        .select_only()
        .columns([listing::Column::Id, listing::Column::Title])
        .filter(listing::Column::Id.is_in(lines.iter().map(|line| line.listing_id)))
        .into_tuple()
        .all(conn)
        .await?;
    let titles = listings.into_iter().map(|(id, title)| Ok((id, serde_json::from_value(title)?)));
    let mut parties: Vec<OrgId> = lines.iter().map(|line| line.provider_id).chain([order.buyer_id, operator]).collect();
    parties.sort_unstable();
    parties.dedup();
    Ok(Facts {
        profiles: tax_profiles::known_at(conn, &parties, order.created_at.0).await?,
        currency: currency_of(super::super::currency(&order.currency)?)?,
        language: language(conn, &order).await?,
        transfer: transfer(conn, id).await?,
        titles: titles.collect::<Result<_>>()?,
        operator,
        order,
        lines,
    })
}

async fn language(conn: &impl ConnectionTrait, order: &order::Model) -> Result<Language> {
    let Some(account) = order.placed_by else { return Ok(Language::English) };
    let locale: Option<String> = account::Entity::find_by_id(account)
        .select_only()
        .column(account::Column::Locale)
        .into_tuple()
        .one(conn)
        .await?;
    Ok(language_of(locale.as_deref().unwrap_or_default()))
}

async fn transfer(conn: &impl ConnectionTrait, id: OrderId) -> Result<Option<BankInstructions>> {
    let rows = payment::Entity::find()
        .filter(payment::Column::OrderId.eq(id))
        .filter(payment::Column::Action.is_not_null())
        .order_by_desc(payment::Column::Attempt)
        .all(conn)
        .await?;
    let actions = rows.into_iter().filter_map(|row| serde_json::from_value::<Action>(row.action?).ok());
    Ok(actions.filter_map(|action| action.transfer).next())
}
