//! A mail server on this machine that speaks SMTP and keeps what it is given.

use std::sync::{Arc, Mutex};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use super::tls::{Shows, acceptor};

/// A mail as it was handed over.
#[derive(Debug, Clone, Default)]
pub struct Letter {
    pub from: String,
    pub to: Vec<String>,
    pub raw: String,
}

impl Letter {
    /// A header, unfolded.
    pub fn header(&self, name: &str) -> String {
        let head = self.raw.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n ", " ");
        let found = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned));
        found.unwrap_or_default()
    }

    /// The text, decoded.
    pub fn text(&self) -> String {
        let body = self.raw.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        match self.header("Content-Transfer-Encoding").as_str() {
            "base64" => {
                let bytes = STANDARD.decode(body.replace("\r\n", "")).expect("base64");
                String::from_utf8(bytes).expect("UTF-8")
            }
            "quoted-printable" => unquoted(body),
            _ => body.to_owned(),
        }
    }
}

/// Source: RFC 2045, section 6.7.
fn unquoted(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let (mut bytes, mut rest) = (Vec::new(), joined.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (first, code) {
            (b'=', Some(code)) => {
                bytes.push(code);
                rest = &after[2..];
            }
            (byte, _) => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

struct Inner {
    letters: Vec<Letter>,
    /// What is answered to whom a letter is for.
    to_recipient: &'static str,
    refused: usize,
}

/// How the connections of a server are secured.
#[derive(Clone)]
enum Security {
    None,
    Implicit(TlsAcceptor),
    StartTls(TlsAcceptor),
}

/// A mail server; it goes on as long as the test's runtime does.
#[derive(Clone)]
pub struct SmtpSink {
    pub url: String,
    inner: Arc<Mutex<Inner>>,
}

impl SmtpSink {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("smtp://{}", listener.local_addr().expect("an address"));
        Self::serve(listener, url, Security::None)
    }

    /// As [`SmtpSink::start`], secured from the first byte.
    pub async fn start_secured(shows: Shows) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("smtps://{}", listener.local_addr().expect("an address"));
        Self::serve(listener, url, Security::Implicit(acceptor(shows)))
    }

    /// As [`SmtpSink::start`], secured when the client asks for it.
    pub async fn start_with_starttls(shows: Shows) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("smtp://{}?tls=required", listener.local_addr().expect("an address"));
        Self::serve(listener, url, Security::StartTls(acceptor(shows)))
    }

    fn serve(listener: TcpListener, url: String, security: Security) -> Self {
        let inner = Inner { letters: Vec::new(), to_recipient: "250 Ok", refused: 0 };
        let it = Self { url, inner: Arc::new(Mutex::new(inner)) };
        let serving = it.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (serving, security) = (serving.clone(), security.clone());
                tokio::spawn(async move { serving.take(socket, security).await });
            }
        });
        it
    }

    /// Source: RFC 3207 (STARTTLS), RFC 8314 (implicit TLS).
    async fn take(&self, socket: TcpStream, security: Security) -> std::io::Result<()> {
        const GREETING: &[u8] = b"220 sink ESMTP\r\n";
        match security {
            Security::None => self.converse(socket, GREETING, false).await.map(drop),
            Security::Implicit(acceptor) => {
                let secured = acceptor.accept(socket).await?;
                self.converse(secured, GREETING, false).await.map(drop)
            }
            Security::StartTls(acceptor) => {
                let Some(socket) = self.converse(socket, GREETING, true).await? else { return Ok(()) };
                let secured = acceptor.accept(socket).await?;
                self.converse(secured, b"", false).await.map(drop)
            }
        }
    }

    /// From now on answers so to whom a letter is for.
    pub fn answer(&self, line: &'static str) {
        self.inner.lock().expect("no panic").to_recipient = line;
    }

    pub fn letters(&self) -> Vec<Letter> {
        self.inner.lock().expect("no panic").letters.clone()
    }

    /// How many letters were refused.
    pub fn refused(&self) -> usize {
        self.inner.lock().expect("no panic").refused
    }

    /// Speaks until the client leaves; gives the connection back when it is to be secured.
    ///
    /// Source: RFC 5321, section 4.1.
    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        socket: S,
        greeting: &[u8],
        can_secure: bool,
    ) -> std::io::Result<Option<S>> {
        let mut socket = BufReader::new(socket);
        socket.write_all(greeting).await?;
        socket.flush().await?;
        let (mut letter, mut line) = (Letter::default(), String::new());
        loop {
            line.clear();
            if socket.read_line(&mut line).await? == 0 {
                return Ok(None);
            }
            let word = line.split([' ', '\r', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let answer = match word.as_str() {
                "EHLO" | "HELO" if can_secure => "250-sink\r\n250-STARTTLS\r\n250 8BITMIME".to_owned(),
                "EHLO" | "HELO" => "250-sink\r\n250 8BITMIME".to_owned(),
                "STARTTLS" if can_secure => {
                    socket.write_all(b"220 Go on\r\n").await?;
                    socket.flush().await?;
                    return Ok(Some(socket.into_inner()));
                }
                "MAIL" => {
                    letter = Letter { from: line.trim().to_owned(), ..Letter::default() };
                    "250 Ok".to_owned()
                }
                "RCPT" => {
                    letter.to.push(line.trim().to_owned());
                    let mut inner = self.inner.lock().expect("no panic");
                    let answer = inner.to_recipient;
                    inner.refused += usize::from(!answer.starts_with("250"));
                    answer.to_owned()
                }
                "DATA" => {
                    socket.write_all(b"354 Go on\r\n").await?;
                    socket.flush().await?;
                    letter.raw = data(&mut socket).await?;
                    self.inner.lock().expect("no panic").letters.push(letter.clone());
                    "250 Ok".to_owned()
                }
                "QUIT" => {
                    socket.write_all(b"221 Bye\r\n").await?;
                    socket.flush().await?;
                    return Ok(None);
                }
                "RSET" | "NOOP" => "250 Ok".to_owned(),
                _ => "502 What?".to_owned(),
            };
            socket.write_all(format!("{answer}\r\n").as_bytes()).await?;
            socket.flush().await?;
        }
    }
}

/// The letter up to the line with a single dot.
async fn data(socket: &mut BufReader<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let (mut raw, mut line) = (String::new(), String::new());
    loop {
        line.clear();
        socket.read_line(&mut line).await?;
        if line == ".\r\n" || line.is_empty() {
            return Ok(raw);
        }
        raw.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
