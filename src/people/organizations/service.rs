//! Founding and changing organisations.

use entity::{
    Timestamp, account,
    ids::{AccountId, OrgId},
    organization,
    states::{ProviderKind, Role},
};
use serde_json::json;
use time::OffsetDateTime;

use super::{
    model::{check_country, check_name, check_provider, slug},
    store,
};
use crate::{
    auth::Actor,
    config::Secret,
    db::Tx,
    error::{Check, Error, Result},
    limits,
    people::{
        accounts::{self, NewAccount},
        audit::{self, Author},
        members,
    },
    state::AppState,
};

/// The country of an organisation that has not said where it is.
///
/// Source: ISO 3166-1, codes for private use; ZZ is the one CLDR reads as "unknown".
const COUNTRY_UNKNOWN: &str = "ZZ";

/// An organisation to be founded.
#[derive(Debug, Clone)]
pub struct NewOrganization {
    /// Its name.
    pub name: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// It lists data.
    pub may_provide: bool,
    /// It orders.
    pub may_buy: bool,
    /// What kind of provider it is; needed if it lists.
    pub provider_kind: Option<ProviderKind>,
}

impl NewOrganization {
    fn into_row(self, now: OffsetDateTime) -> organization::Model {
        let id = OrgId::at(now);
        let name = self.name.trim().to_owned();
        organization::Model {
            id,
            slug: slug(&name),
            name,
            country: self.country,
            provider_kind: self.provider_kind,
            may_provide: self.may_provide,
            may_buy: self.may_buy,
            may_operate: false,
            processor_account: None,
            created_at: Timestamp(now),
        }
    }
}

/// Founds an organisation; the founder becomes its owner.
///
/// # Errors
/// `Invalid` with everything that needs to be changed; `Conflict` for somebody who owns
/// [`limits::ORGANIZATIONS_PER_ACCOUNT_MAX`] already.
pub async fn found_organization(
    app: &AppState,
    founder: AccountId,
    new: NewOrganization,
    request_id: &str,
) -> Result<organization::Model> {
    let mut check = Check::new();
    check_name(&mut check, new.name.trim());
    check_country(&mut check, &new.country);
    check_provider(&mut check, new.may_provide, new.provider_kind);
    check.done()?;
    let row = new.into_row(app.clock.now());
    let author = Author::person(founder, request_id);
    app.db
        .write("people.found_organization", move |tx| {
            let (row, author) = (row.clone(), author.clone());
            async move {
                accounts::store::lock(&tx, founder).await?;
                let owned = members::count_owned(&tx, founder).await?;
                if owned >= limits::ORGANIZATIONS_PER_ACCOUNT_MAX {
                    return Err(Error::conflict(format!("You own {owned} organisations already, which is the most.")));
                }
                let row = found(&tx, row, founder, author).await?;
                Ok((row, tx))
            }
        })
        .await
}

/// Adds the organisation, its owner, and the line in the log. A short name that is taken gets the
/// end of the id behind it.
async fn found(
    tx: &Tx,
    mut row: organization::Model,
    founder: AccountId,
    author: Author,
) -> Result<organization::Model> {
    if !store::insert(tx, row.clone()).await? {
        let id = row.id.0.simple().to_string();
        row.slug = format!("{}-{}", row.slug, &id[id.len() - 12..]);
        if !store::insert(tx, row.clone()).await? {
            return Err(Error::unavailable("The name is being taken at this moment. Try again.", 1));
        }
    }
    let now = row.created_at.0;
    members::insert(tx, row.id, founder, Role::Owner, now).await?;
    let detail = json!({"may_provide": row.may_provide, "may_buy": row.may_buy, "may_operate": row.may_operate});
    audit::record(tx, author.acting_for(row.id), "organization.found", row.id, detail, now).await?;
    Ok(row)
}

/// Makes the operator of the exchange and its first owner, which no request can do. The country
/// stays `ZZ` until the owner says which it is.
///
/// # Errors
/// `Invalid` with everything that needs to be changed; `Conflict` for a known mail address.
pub async fn create_operator(
    app: &AppState,
    email: &str,
    display_name: &str,
    password: &Secret,
    organization_name: &str,
) -> Result<(AccountId, OrgId)> {
    let mut check = Check::new();
    check_name(&mut check, organization_name.trim());
    check.done()?;
    let new = NewAccount {
        email: email.to_owned(),
        password: password.clone(),
        display_name: display_name.to_owned(),
        locale: "en".to_owned(),
    };
    let account: account::Model = accounts::prepare(app, new).await?;
    let org = NewOrganization {
        name: organization_name.to_owned(),
        country: COUNTRY_UNKNOWN.to_owned(),
        may_provide: false,
        may_buy: false,
        provider_kind: None,
    };
    let org = organization::Model { may_operate: true, ..org.into_row(app.clock.now()) };
    app.db
        .write("people.create_operator", move |tx| {
            let (account, org) = (account.clone(), org.clone());
            async move {
                let author = Author::person(account.id, "command-line");
                accounts::insert(&tx, &account, author.clone()).await?;
                let org = found(&tx, org, account.id, author).await?;
                Ok(((account.id, org.id), tx))
            }
        })
        .await
}

/// What to change of an organisation; what is left out stays.
#[derive(Debug, Clone, Default)]
pub(super) struct Change {
    pub name: Option<String>,
    pub country: Option<String>,
    pub may_provide: Option<bool>,
    pub may_buy: Option<bool>,
    pub provider_kind: Option<ProviderKind>,
}

/// Changes an organisation: its own owners, or the operator.
///
/// The kind of provider can be said once. Only the operator changes it afterwards: a public body that
/// became a company at will could put a price on what the law keeps free.
///
/// # Errors
/// `NotFound` for somebody else's organisation; `Invalid`; `Conflict` for another kind of provider.
pub(super) async fn change_organization(
    app: &AppState,
    actor: &Actor,
    id: OrgId,
    change: Change,
) -> Result<organization::Model> {
    if actor.org_id() != id && !actor.organization.may_operate {
        return Err(Error::not_found("organisation"));
    }
    let (actor, now) = (actor.clone(), app.clock.now());
    app.db
        .write("people.change_organization", move |tx| {
            let (actor, change) = (actor.clone(), change.clone());
            async move {
                let before = store::lock(&tx, id).await?.ok_or_else(|| Error::not_found("organisation"))?;
                let after = apply(&before, change, actor.organization.may_operate)?;
                if after != before {
                    store::update(&tx, after.clone()).await?;
                    let detail = json!({"changed": differences(&before, &after)});
                    audit::record(&tx, &actor, "organization.change", id, detail, now).await?;
                }
                Ok((after, tx))
            }
        })
        .await
}

fn apply(before: &organization::Model, change: Change, operator: bool) -> Result<organization::Model> {
    let mut after = before.clone();
    let mut check = Check::new();
    if let Some(name) = change.name {
        after.name = name.trim().to_owned();
        check_name(&mut check, &after.name);
    }
    if let Some(country) = change.country {
        check_country(&mut check, &country);
        after.country = country;
    }
    after.may_provide = change.may_provide.unwrap_or(after.may_provide);
    after.may_buy = change.may_buy.unwrap_or(after.may_buy);
    after.provider_kind = change.provider_kind.or(after.provider_kind);
    check_provider(&mut check, after.may_provide, after.provider_kind);
    check.done()?;
    if before.provider_kind.is_some() && after.provider_kind != before.provider_kind && !operator {
        return Err(Error::conflict("The kind of provider is settled. Ask the operator to change it."));
    }
    Ok(after)
}

fn differences(before: &organization::Model, after: &organization::Model) -> Vec<&'static str> {
    let fields = [
        ("name", before.name != after.name),
        ("country", before.country != after.country),
        ("may_provide", before.may_provide != after.may_provide),
        ("may_buy", before.may_buy != after.may_buy),
        ("provider_kind", before.provider_kind != after.provider_kind),
    ];
    fields.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
}
