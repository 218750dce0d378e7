//! The counter of the exchange: what many buyers want at the same moment is read and written together.
//!
//! A purchase takes the same steps, in the same transactions, as it would alone; only the statements are
//! shared.

use std::{collections::HashMap, fmt};

use entity::ids::{OfferId, OrderId};

use super::{
    orders::{
        self, OrderView,
        placing::{self, NewOrder, Recorded},
        pricing::{self, ForSale},
    },
    payments::captured::{self, Taken},
};
use crate::{
    base::Clock,
    db::{Db, Gather, deal, together_or_alone},
};

/// The queues that a purchase passes.
pub struct Counter {
    pub(in crate::trade) quotes: Gather<OfferId, Option<ForSale>>,
    pub(in crate::trade) orders: Gather<NewOrder, Recorded>,
    pub(in crate::trade) payments: Gather<Taken, ()>,
    pub(in crate::trade) views: Gather<OrderId, Option<OrderView>>,
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counter")
    }
}

impl Counter {
    /// Opens the counter on `db`.
    pub fn start(db: &Db, clock: &Clock) -> Self {
        let (of_quotes, quote_clock) = (db.clone(), clock.clone());
        let (of_orders, of_views) = (db.clone(), db.clone());
        let (of_payments, payment_clock) = (db.clone(), clock.clone());
        Self {
            quotes: Gather::start(move |ids: Vec<OfferId>| {
                let (db, now) = (of_quotes.clone(), quote_clock.now());
                async move {
                    let found = pricing::for_sale(db.read(), &ids, now).await;
                    deal(&ids, found)
                }
            }),
            orders: Gather::start(move |units| {
                let db = of_orders.clone();
                async move { together_or_alone(units, |units| placing::record(&db, units)).await }
            }),
            payments: Gather::start(move |units| {
                let (db, now) = (of_payments.clone(), payment_clock.now());
                async move { together_or_alone(units, |units| captured::settle(&db, units, now)).await }
            }),
            views: Gather::start(move |ids: Vec<OrderId>| {
                let db = of_views.clone();
                async move {
                    let found = orders::views_of(&db, &ids).await;
                    let by_id = |views: Vec<OrderView>| views.into_iter().map(|view| (view.id, view)).collect();
                    deal(&ids, found.map(by_id) as crate::Result<HashMap<_, _>>)
                }
            }),
        }
    }
}
