//! The catalogue's list: filters, order, seek paging and counts, as one SQL for both databases.

use entity::{
    Timestamp,
    ids::OrgId,
    listing, listing_facet, listing_price, organization,
    states::{ListingState, Theme},
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, FromQueryResult, Order, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, Select,
    sea_query::{CaseStatement, Expr, ExprTrait as _, Func, IntoCondition as _, Query, SelectStatement},
};

use super::{
    query::{Cursor, Filter, Search, Sort},
    store::{Facet, within_audience},
};
use crate::{
    base::{Currency, page::Page},
    error::Result,
};

/// Values counted per facet.
const FACET_VALUES_MAX: u64 = 50;
/// The sort key of a listing without a price: after all others.
const NO_PRICE: i64 = i64::MAX;

/// How many listings of the filtered set have which value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facets {
    pub total: i64,
    pub free: i64,
    pub paid: i64,
    pub theme: Vec<(String, i64)>,
    pub tag: Vec<(String, i64)>,
    pub licence: Vec<(String, i64)>,
    pub format: Vec<(String, i64)>,
    pub provider: Vec<(OrgId, String, i64)>,
}

#[derive(Debug, FromQueryResult)]
struct Hit {
    #[sea_orm(nested)]
    listing: listing::Model,
    sort_key: i64,
}

/// One page of what `viewer` may find.
pub(super) async fn find_page(
    conn: &impl ConnectionTrait,
    search: &Search,
    viewer: Option<OrgId>,
) -> Result<Page<listing::Model>> {
    let found = listing::Entity::find().filter(matches(&search.filter, viewer));
    page(conn, found, search.sort, search.after, search.limit).await
}

/// One page of the listings of `owner`, newest change first.
pub(super) async fn find_own_page(
    conn: &impl ConnectionTrait,
    owner: OrgId,
    state: Option<ListingState>,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Page<listing::Model>> {
    let mut found = listing::Entity::find().filter(listing::Column::OrganizationId.eq(owner));
    if let Some(state) = state {
        found = found.filter(listing::Column::State.eq(state));
    }
    page(conn, found, Sort::Updated, after, limit).await
}

/// One page of what waits for the operator, newest change first.
pub(super) async fn find_in_review_page(
    conn: &impl ConnectionTrait,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Page<listing::Model>> {
    let found = listing::Entity::find().filter(listing::Column::State.eq(ListingState::InReview));
    page(conn, found, Sort::Updated, after, limit).await
}

async fn page(
    conn: &impl ConnectionTrait,
    found: Select<listing::Entity>,
    sort: Sort,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Page<listing::Model>> {
    let order = if matches!(sort, Sort::Price(_)) { Order::Asc } else { Order::Desc };
    let mut found = found.column_as(sort_key(sort), "sort_key");
    if let Some(Cursor { key, id, .. }) = after {
        let (sort_key, id_column) = (sort_key(sort), Expr::col((listing::Entity, listing::Column::Id)));
        let beyond = match order {
            Order::Asc => (sort_key.clone().gt(key), id_column.gt(id)),
            _ => (sort_key.clone().lt(key), id_column.lt(id)),
        };
        found = found.filter(Condition::any().add(beyond.0).add(sort_key.eq(key).and(beyond.1)));
    }
    let rows = found
        .order_by(sort_key(sort), order.clone())
        .order_by(listing::Column::Id, order)
        .limit(u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1))
        .into_model::<Hit>()
        .all(conn)
        .await?;
    let page = Page::from_rows(rows, limit, |hit| Cursor { sort, key: hit.sort_key, id: hit.listing.id });
    Ok(page.map(|hit| hit.listing))
}

fn sort_key(sort: Sort) -> Expr {
    match sort {
        Sort::Updated => Expr::col((listing::Entity, listing::Column::UpdatedAt)),
        Sort::Published => Expr::col((listing::Entity, listing::Column::PublishedAt)),
        Sort::Price(currency) => CaseStatement::new()
            .case(Expr::col((listing::Entity, listing::Column::HasFreeOffer)).eq(true), 0_i64)
            .finally(Func::coalesce([lowest_price(currency), Expr::value(NO_PRICE)]))
            .into(),
    }
}

fn lowest_price(currency: Currency) -> Expr {
    let lowest = Query::select()
        .expr(Func::min(Expr::col((listing_price::Entity, listing_price::Column::PriceMinor))))
        .from(listing_price::Entity)
        .and_where(
            Expr::col((listing_price::Entity, listing_price::Column::ListingId))
                .eq(Expr::col((listing::Entity, listing::Column::Id))),
        )
        .and_where(listing_price::Column::Currency.eq(currency.code()))
        .to_owned();
    Expr::SubQuery(None, Box::new(lowest.into()))
}

/// What `viewer` may find, and asks for.
fn matches(filter: &Filter, viewer: Option<OrgId>) -> Condition {
    let mut all = listing::Column::State.eq(ListingState::Published).into_condition().add(within_audience(viewer));
    if let Some(needles) = &filter.needles {
        // A needle holds letters, digits and spaces alone, so it has no wildcard to escape.
        let found = |text: String| listing::Column::SearchText.contains(text);
        all = needles.iter().fold(all, |all, needle| all.add(found(needle.text())));
        if needles.is_empty() {
            all = all.add(listing::Column::Id.is_null());
        }
    }
    if !filter.themes.is_empty() {
        all = all.add(listing::Column::Theme.is_in(filter.themes.iter().copied()));
    }
    for tag in &filter.tags {
        all = all.add(listing::Column::Id.in_subquery(with_facet(Facet::Tag, std::slice::from_ref(tag))));
    }
    for (facet, values) in [(Facet::Licence, &filter.licences), (Facet::Format, &filter.formats)] {
        if !values.is_empty() {
            all = all.add(listing::Column::Id.in_subquery(with_facet(facet, values)));
        }
    }
    all.add_option(filter.free.map(|free| listing::Column::HasFreeOffer.eq(free)))
        .add_option(filter.paid.map(|paid| listing::Column::HasPaidOffer.eq(paid)))
        .add_option(filter.price.map(|range| listing::Column::Id.in_subquery(with_price(range))))
        .add_option(filter.provider.map(|provider| listing::Column::OrganizationId.eq(provider)))
        .add_option(filter.updated_since.map(|at: Timestamp| listing::Column::UpdatedAt.gte(at)))
        .add_option(filter.bbox.map(touches))
}

/// True for boxes that share at least a point with this one; a listing without a box touches none.
fn touches([west, south, east, north]: [f64; 4]) -> Condition {
    Condition::all()
        .add(listing::Column::MinLon.lte(east))
        .add(listing::Column::MaxLon.gte(west))
        .add(listing::Column::MinLat.lte(north))
        .add(listing::Column::MaxLat.gte(south))
}

fn with_facet(facet: Facet, values: &[String]) -> SelectStatement {
    Query::select()
        .column(listing_facet::Column::ListingId)
        .from(listing_facet::Entity)
        .and_where(listing_facet::Column::Facet.eq(facet.as_str()))
        .and_where(listing_facet::Column::Value.is_in(values))
        .to_owned()
}

fn with_price((currency, low, high): (Currency, i64, i64)) -> SelectStatement {
    Query::select()
        .column(listing_price::Column::ListingId)
        .from(listing_price::Entity)
        .and_where(listing_price::Column::Currency.eq(currency.code()))
        .and_where(listing_price::Column::PriceMinor.between(low, high))
        .to_owned()
}

/// Counts over everything that `viewer` may find, whatever the page: six statements.
pub(super) async fn count_facets(
    conn: &impl ConnectionTrait,
    filter: &Filter,
    viewer: Option<OrgId>,
) -> Result<Facets> {
    let found = matches(filter, viewer);
    let groups = count_themes(conn, &found).await?;
    let sum = |keep: fn(&ThemeCount) -> bool| groups.iter().filter(|group| keep(group)).map(|group| group.3).sum();
    let mut theme: Vec<(String, i64)> = Theme::ALL
        .iter()
        .map(|theme| {
            let count = groups.iter().filter(|group| group.0 == *theme).map(|group| group.3).sum();
            (theme.as_str().to_owned(), count)
        })
        .filter(|(_, count)| *count > 0)
        .collect();
    theme.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok(Facets {
        total: sum(|_| true),
        free: sum(|group| group.1),
        paid: sum(|group| group.2),
        theme,
        tag: count_values(conn, &found, Facet::Tag).await?,
        licence: count_values(conn, &found, Facet::Licence).await?,
        format: count_values(conn, &found, Facet::Format).await?,
        provider: count_providers(conn, &found).await?,
    })
}

/// Theme, with a free offer, with a paid offer, how many.
type ThemeCount = (Theme, bool, bool, i64);

async fn count_themes(conn: &impl ConnectionTrait, found: &Condition) -> Result<Vec<ThemeCount>> {
    let columns = [listing::Column::Theme, listing::Column::HasFreeOffer, listing::Column::HasPaidOffer];
    Ok(listing::Entity::find()
        .select_only()
        .columns(columns)
        .column_as(listing::Column::Id.count(), "count")
        .filter(found.clone())
        .group_by(listing::Column::Theme)
        .group_by(listing::Column::HasFreeOffer)
        .group_by(listing::Column::HasPaidOffer)
        .into_tuple()
        .all(conn)
        .await?)
}

async fn count_values(conn: &impl ConnectionTrait, found: &Condition, facet: Facet) -> Result<Vec<(String, i64)>> {
    Ok(listing_facet::Entity::find()
        .select_only()
        .column(listing_facet::Column::Value)
        .column_as(listing_facet::Column::ListingId.count(), "count")
        .filter(listing_facet::Column::Facet.eq(facet.as_str()))
        .filter(listing_facet::Column::ListingId.in_subquery(ids(found)))
        .group_by(listing_facet::Column::Value)
        .order_by_desc(listing_facet::Column::ListingId.count())
        .order_by_asc(listing_facet::Column::Value)
        .limit(FACET_VALUES_MAX)
        .into_tuple()
        .all(conn)
        .await?)
}

async fn count_providers(conn: &impl ConnectionTrait, found: &Condition) -> Result<Vec<(OrgId, String, i64)>> {
    let counts: Vec<(OrgId, i64)> = listing::Entity::find()
        .select_only()
        .column(listing::Column::OrganizationId)
        .column_as(listing::Column::Id.count(), "count")
        .filter(found.clone())
        .group_by(listing::Column::OrganizationId)
        .order_by_desc(listing::Column::Id.count())
        .order_by_asc(listing::Column::OrganizationId)
        .limit(FACET_VALUES_MAX)
        .into_tuple()
        .all(conn)
        .await?;
    let names: Vec<(OrgId, String)> = organization::Entity::find()
        .select_only()
        .columns([organization::Column::Id, organization::Column::Name])
        .filter(organization::Column::Id.is_in(counts.iter().map(|(id, _)| *id)))
        .into_tuple()
        .all(conn)
        .await?;
    let names: std::collections::HashMap<_, _> = names.into_iter().collect();
    let named = |(id, count)| (id, names.get(&id).cloned().unwrap_or_default(), count);
    Ok(counts.into_iter().map(named).collect())
}

fn ids(found: &Condition) -> SelectStatement {
    let id: (listing::Entity, listing::Column) = (listing::Entity, listing::Column::Id);
    Query::select().column(id).from(listing::Entity).cond_where(found.clone()).to_owned()
}
