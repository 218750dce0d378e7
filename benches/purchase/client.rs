//! A buyer over HTTP, with a connection of their own.

use std::sync::Arc;

use crate::{
    measure::Worker,
    wire::Wire,
    world::{Goods, World, fresh_key},
};

/// A buyer with a connection of their own.
pub struct HttpBuyer {
    wire: Wire,
    world: Arc<World>,
    key: String,
    goods: Goods,
}

impl HttpBuyer {
    /// The `at`-th buyer; `hot` if everybody buys the same.
    pub async fn connect(world: Arc<World>, at: usize, hot: bool) -> Self {
        let wire = Wire::connect(&world.address).await;
        let key = world.buyers[at % world.buyers.len()].key.clone();
        Self { wire, world, key, goods: Goods::new(at, hot) }
    }
}

impl Worker for HttpBuyer {
    async fn work(&mut self) {
        let offer = self.goods.next(&self.world);
        let body = format!(
            r#"{{"offer_id":"{}","licence_hash":"{}","use_case":"Warn drivers.","payment_method":"pm_card_visa"}}"#,
            offer.id, offer.licence_hash
        );
        let request = format!(
            "POST /api/v1/orders HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {}\r\nidempotency-key: {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.key,
            fresh_key(),
            body.len()
        );
        let text = String::from_utf8_lossy(self.wire.ask(&request).await);
        let done = text.starts_with("HTTP/1.1 201")
            && text.contains(r#""state":"completed""#)
            && text.contains(r#""grant_id":"grt_"#);
        assert!(done, "not bought: {text}");
    }
}
