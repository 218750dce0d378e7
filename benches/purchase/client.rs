//! A buyer over HTTP: one kept connection, as little work as can be, so that the load takes little of the machine.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    measure::Worker,
    world::{Goods, World, fresh_key},
};

/// A buyer with a connection of their own.
pub struct HttpBuyer {
    stream: TcpStream,
    world: Arc<World>,
    key: String,
    goods: Goods,
    answer: Vec<u8>,
}

impl HttpBuyer {
    /// The `at`-th buyer; `hot` if everybody buys the same.
    pub async fn connect(world: Arc<World>, at: usize, hot: bool) -> Self {
        let stream = TcpStream::connect(&world.address).await.expect("the server listens");
        stream.set_nodelay(true).expect("an option");
        let key = world.buyers[at % world.buyers.len()].key.clone();
        Self { stream, world, key, goods: Goods::new(at, hot), answer: Vec::with_capacity(4_096) }
    }

    async fn post(&mut self, request: &str) {
        self.stream.write_all(request.as_bytes()).await.expect("the request is sent");
        self.answer.clear();
        let whole = loop {
            let read = self.stream.read_buf(&mut self.answer).await.expect("an answer");
            assert!(read > 0, "the server hung up: {}", String::from_utf8_lossy(&self.answer));
            if let Some(length) = answer_length(&self.answer) {
                break length;
            }
        };
        while self.answer.len() < whole {
            assert!(self.stream.read_buf(&mut self.answer).await.expect("an answer") > 0, "the server hung up");
        }
    }
}

/// Bytes of the whole answer, once its head is there.
fn answer_length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&answer[..head]).expect("a head of ASCII");
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    Some(head + 4 + length.parse::<usize>().expect("a number"))
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
        self.post(&request).await;
        let text = String::from_utf8_lossy(&self.answer);
        let done = text.starts_with("HTTP/1.1 201")
            && text.contains(r#""state":"completed""#)
            && text.contains(r#""grant_id":"grt_"#);
        assert!(done, "not bought: {text}");
    }
}
