//! Telling everybody whom an event concerns, some of them in each transaction.

use std::collections::{BTreeSet, HashMap};

use entity::{
    Timestamp,
    ids::{ListingId, NoticeId, OrderId, OrgId},
    news, notice_head, outbox,
};
use time::OffsetDateTime;

use super::{
    model::{self, Around, Subject},
    store::{self, NewNotice},
};
use crate::{
    catalog::listings::{self, ListingName},
    db::{Tx, outbox as events},
    error::Result,
    notify::{
        deliveries::{self, Told},
        kinds::{self, Kind},
    },
    people::organizations,
    state::AppState,
    trade::{
        grants,
        orders::{self, Parties},
    },
};

/// Events looked at in one transaction.
const EVENTS_PER_BATCH: u64 = 100;
/// Notices written in one transaction: a listing with any number of holders is told of in steps of this size.
const NOTICES_PER_BATCH: usize = 500;

/// Turns some of the waiting events into notices; returns how many of both. Safe to run at any time by any number of
/// processes: they take turns.
///
/// # Errors
/// Those of the database.
pub async fn fan_out(app: &AppState) -> Result<usize> {
    if !events::is_anything_untold(app.db.read()).await? {
        return Ok(0);
    }
    let now = app.clock.now();
    app.db
        .write("notify.fan_out", move |tx| async move {
            let done = tell_some(&tx, now).await?;
            Ok((done, tx))
        })
        .await
}

/// What one transaction writes.
struct Batch {
    head: notice_head::Model,
    now: Timestamp,
    news: Vec<news::Model>,
    notices: Vec<NewNotice>,
    told: Vec<Told>,
    /// Positions of the events that everybody has been told of.
    done: Vec<i64>,
}

async fn tell_some(tx: &Tx, now: OffsetDateTime) -> Result<usize> {
    let head = store::lock_head(tx).await?;
    let waiting = events::untold(tx.conn(), head.event_seq, EVENTS_PER_BATCH).await?;
    let world = World::load(tx, &waiting).await?;
    let (news, notices, told, done) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut batch = Batch { head, now: Timestamp(now), news, notices, told, done };
    for event in waiting {
        if !batch.take(tx, &world, event).await? {
            break;
        }
    }
    let count = batch.notices.len() + batch.done.len();
    batch.write(tx, now).await?;
    Ok(count)
}

impl Batch {
    fn room(&self) -> usize {
        NOTICES_PER_BATCH.saturating_sub(self.notices.len())
    }

    /// Takes an event in, as far as there is room; false when there is none left.
    async fn take(&mut self, tx: &Tx, world: &World, event: outbox::Model) -> Result<bool> {
        if self.room() == 0 {
            return Ok(false);
        }
        let Some(kind) = kinds::find(&event.kind) else {
            tracing::warn!(event.id = %event.id, "events of the kind {} are told to nobody", event.kind);
            self.done.push(event.seq);
            return Ok(true);
        };
        let (subject, around) = world.around(&event);
        let named = model::recipients(kind, &event.payload, &around);
        let gone_on = self.head.event_seq.take() == Some(event.seq);
        if !gone_on {
            self.news.push(world.news(kind, &event, subject));
            self.add(kind, &event, subject, named.iter().copied());
        }
        let after = self.head.after_organization.take().filter(|_| gone_on);
        match subject.listing.filter(|_| model::concerns_holders(kind, &event.payload)) {
            Some(listing) => self.take_holders(tx, kind, &event, (subject, listing), (named, after)).await,
            None => {
                self.done.push(event.seq);
                Ok(true)
            }
        }
    }

    /// Takes as many holders in as there is room for, at least one so that it comes to an end.
    async fn take_holders(
        &mut self,
        tx: &Tx,
        kind: &'static Kind,
        event: &outbox::Model,
        (subject, listing): (Subject, ListingId),
        (named, after): (BTreeSet<OrgId>, Option<OrgId>),
    ) -> Result<bool> {
        let room = self.room().max(1);
        let holders = grants::holders(tx.conn(), listing, event.created_at, after, room).await?;
        let last = holders.last().copied().filter(|_| holders.len() == room);
        self.add(kind, event, subject, holders.into_iter().filter(|holder| !named.contains(holder)));
        match last {
            Some(last) => {
                self.head.event_seq = Some(event.seq);
                self.head.after_organization = Some(last);
                Ok(false)
            }
            None => {
                self.done.push(event.seq);
                Ok(true)
            }
        }
    }

    fn add(
        &mut self,
        kind: &'static Kind,
        event: &outbox::Model,
        subject: Subject,
        to: impl IntoIterator<Item = OrgId>,
    ) {
        for organization in to {
            self.head.last_cursor += 1;
            let id = NoticeId::derived_at(&format!("{}:{organization}", event.id), event.created_at.0);
            let cursor = self.head.last_cursor;
            self.notices.push(NewNotice { cursor, id, organization, event: event.id, kind: kind.name });
            self.told.push(Told {
                cursor,
                notice: id,
                organization,
                event: event.id,
                kind: kind.name.to_owned(),
                listing: subject.listing,
                lane: lane(subject, &event.topic),
            });
        }
    }

    async fn write(self, tx: &Tx, now: OffsetDateTime) -> Result<()> {
        store::insert_news(tx, self.news).await?;
        store::insert_notices(tx, &self.notices, self.now).await?;
        deliveries::queue(tx, self.told, now).await?;
        store::move_head(tx, self.head).await?;
        events::mark_told(tx, self.done, now).await
    }
}

/// What deliveries are ordered by.
fn lane(subject: Subject, topic: &str) -> String {
    subject.listing.map_or_else(|| topic.to_owned(), |listing| listing.to_string())
}

/// What the events of a batch are about, and who stands around them: three queries, whatever their number.
struct World {
    listings: HashMap<ListingId, ListingName>,
    orders: HashMap<OrderId, Parties>,
    operators: Vec<OrgId>,
}

impl World {
    async fn load(tx: &Tx, events: &[outbox::Model]) -> Result<Self> {
        let subjects: Vec<Subject> = events.iter().map(|event| Subject::of(&event.topic, &event.payload)).collect();
        let mut ids: Vec<OrderId> = subjects.iter().filter_map(|subject| subject.order).collect();
        ids.sort_unstable();
        ids.dedup();
        let orders = orders::parties(tx.conn(), &ids).await?;
        let of_orders = orders.values().map(|parties| parties.listing);
        let mut ids: Vec<ListingId> = subjects.iter().filter_map(|subject| subject.listing).chain(of_orders).collect();
        ids.sort_unstable();
        ids.dedup();
        let listings = listings::names(tx.conn(), &ids).await?;
        Ok(Self { listings, orders, operators: organizations::operators(tx.conn()).await? })
    }

    /// What an event is about; an order is about its first listing.
    fn around(&self, event: &outbox::Model) -> (Subject, Around) {
        let mut subject = Subject::of(&event.topic, &event.payload);
        let parties = subject.order.and_then(|order| self.orders.get(&order));
        subject.listing = subject.listing.or_else(|| parties.map(|parties| parties.listing));
        let listing = subject.listing.and_then(|listing| self.listings.get(&listing));
        let around = Around {
            owner: listing.map(|listing| listing.organization_id),
            sellers: parties.map(|parties| parties.sellers.clone()).unwrap_or_default(),
            operators: self.operators.clone(),
        };
        (subject, around)
    }

    fn news(&self, kind: &Kind, event: &outbox::Model, subject: Subject) -> news::Model {
        let listing = subject.listing.and_then(|listing| self.listings.get(&listing));
        news::Model {
            event_id: event.id,
            kind: kind.name.to_owned(),
            lane: lane(subject, &event.topic),
            listing_id: subject.listing,
            order_id: subject.order,
            listing_title: listing.map_or_else(|| serde_json::json!({}), |listing| listing.title.clone()),
            data: model::told(kind, &event.payload, subject),
            occurred_at: event.created_at,
        }
    }
}
