//! HTTP over one kept connection, as little work as can be, so that the load takes little of the machine.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A connection that asks, and waits for the whole answer.
pub struct Wire {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Wire {
    pub async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("an option");
        Self { stream, answer: Vec::with_capacity(16 << 10) }
    }

    /// Sends a request; the answer is its head and body.
    pub async fn ask(&mut self, request: &str) -> &[u8] {
        self.stream.write_all(request.as_bytes()).await.expect("the request is sent");
        self.answer.clear();
        let whole = loop {
            self.read().await;
            if let Some(length) = answer_length(&self.answer) {
                break length;
            }
        };
        while self.answer.len() < whole {
            self.read().await;
        }
        &self.answer
    }

    async fn read(&mut self) {
        let read = self.stream.read_buf(&mut self.answer).await.expect("an answer");
        assert!(read > 0, "the server hung up: {}", String::from_utf8_lossy(&self.answer));
    }
}

/// Bytes of the whole answer, once its head is there.
fn answer_length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&answer[..head]).expect("a head of ASCII");
    if text.starts_with("HTTP/1.1 204") {
        return Some(head + 4);
    }
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    Some(head + 4 + length.parse::<usize>().expect("a number"))
}
