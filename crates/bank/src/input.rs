//! The bytes of the file as UTF-8, with their place, and with an end to how many are taken at once.

use std::io::{self, BufRead, Read};

use encoding_rs::{CoderResult, Decoder, Encoding};

use crate::{
    error::{BankFileError, Fault, FaultKind, Position},
    limits::Limits,
};

const CHUNK_BYTES: usize = 64 << 10;
const UTF8_BOM: &[u8] = b"\xEF\xBB\xBF";

/// A `BufRead` over the source that transcodes, counts lines and bytes, and fails when one token grows too long.
///
/// The parsers behind it buffer a token until its end is found; without the bound a file of one endless line would fill
/// the memory.
pub(crate) struct Input<R> {
    source: R,
    transcoder: Option<Decoder>,
    ready: Vec<u8>,
    taken: usize,
    position: Position,
    source_bytes: u64,
    token_bytes: usize,
    limits: Limits,
    fault: Option<Fault>,
}

impl<R: BufRead> Input<R> {
    pub(crate) fn new(source: R, limits: Limits) -> Self {
        Self {
            source,
            transcoder: None,
            ready: Vec::with_capacity(CHUNK_BYTES),
            taken: 0,
            position: Position { line: 1, byte: 0 },
            source_bytes: 0,
            token_bytes: 0,
            limits,
            fault: None,
        }
    }

    /// The next bytes, up to `count`, without taking them. Fewer only at the end of the file.
    pub(crate) fn peek(&mut self, count: usize) -> Result<&[u8], BankFileError> {
        while self.ready.len() - self.taken < count {
            match self.read_chunk() {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => return Err(self.io_error(&error)),
            }
        }
        let ready = &self.ready[self.taken..];
        Ok(&ready[..ready.len().min(count)])
    }

    /// Reads the rest, including what was peeked at, in a character set other than UTF-8.
    pub(crate) fn transcode_from(&mut self, encoding: &'static Encoding) {
        let mut transcoder = encoding.new_decoder_without_bom_handling();
        let raw = self.ready.split_off(self.taken);
        transcode(&mut transcoder, &raw, &mut self.ready);
        self.transcoder = Some(transcoder);
    }

    /// Skips the mark some programs put before UTF-8.
    pub(crate) fn skip_bom(&mut self) -> Result<(), BankFileError> {
        if self.peek(UTF8_BOM.len())? == UTF8_BOM {
            self.consume(UTF8_BOM.len());
        }
        Ok(())
    }

    /// Begins the next token: its length is counted from here.
    pub(crate) fn start_token(&mut self) {
        self.token_bytes = 0;
    }

    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// Appends the next line without its line break; false at the end of the file.
    pub(crate) fn read_line(&mut self, line: &mut Vec<u8>) -> Result<bool, BankFileError> {
        line.clear();
        self.start_token();
        let count = match self.read_until(b'\n', line) {
            Ok(count) => count,
            Err(error) => return Err(self.io_error(&error)),
        };
        while matches!(line.last(), Some(b'\n' | b'\r')) {
            line.pop();
        }
        Ok(count > 0)
    }

    /// The fault behind an I/O error that came through one of the parsers.
    pub(crate) fn io_error(&mut self, error: &io::Error) -> BankFileError {
        let fault = self.fault.take().unwrap_or_else(|| {
            let problem = format!("the input could not be read: {error}");
            Fault::new(FaultKind::Io, problem, "Send the file again.")
        });
        fault.at(self.position, "")
    }

    fn refuse(&mut self, problem: String, advice: &str) -> io::Error {
        self.fault = Some(Fault::new(FaultKind::Limit, problem, advice));
        io::Error::other("a limit of the bank file reader is exceeded")
    }

    /// Reads more of the source behind what is ready; 0 at its end.
    fn read_chunk(&mut self) -> io::Result<usize> {
        if self.taken > 0 {
            self.ready.drain(..self.taken);
            self.taken = 0;
        }
        loop {
            let chunk = match self.source.fill_buf() {
                Ok(chunk) => &chunk[..chunk.len().min(CHUNK_BYTES)],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let count = chunk.len();
            match &mut self.transcoder {
                Some(transcoder) => transcode(transcoder, chunk, &mut self.ready),
                None => self.ready.extend_from_slice(chunk),
            }
            self.source.consume(count);
            self.source_bytes += count as u64;
            if self.source_bytes > self.limits.file_bytes {
                let problem = format!("the file has more than {} bytes", self.limits.file_bytes);
                return Err(self.refuse(problem, "Split it into files of shorter periods."));
            }
            return Ok(count);
        }
    }
}

/// Single-byte character sets only: every byte has a character, and no byte waits for the next chunk.
fn transcode(transcoder: &mut Decoder, raw: &[u8], out: &mut Vec<u8>) {
    let mut text = String::with_capacity(transcoder.max_utf8_buffer_length(raw.len()).unwrap_or(raw.len() * 3));
    let (result, _, _) = transcoder.decode_to_string(raw, &mut text, false);
    debug_assert_eq!(result, CoderResult::InputEmpty);
    out.extend_from_slice(text.as_bytes());
}

impl<R: BufRead> Read for Input<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let count = ready.len().min(out.len());
        out[..count].copy_from_slice(&ready[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Input<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.token_bytes > self.limits.token_bytes {
            let problem = format!("one tag, text, line or row has more than {} bytes", self.limits.token_bytes);
            return Err(self.refuse(problem, "Check that the file is complete and has its line breaks."));
        }
        if self.taken == self.ready.len() {
            self.read_chunk()?;
        }
        Ok(&self.ready[self.taken..])
    }

    fn consume(&mut self, count: usize) {
        let used = &self.ready[self.taken..self.taken + count];
        self.position.line += used.iter().filter(|byte| **byte == b'\n').count() as u64;
        // A transcoded character of several bytes was one byte in the file.
        let source_bytes = match self.transcoder {
            Some(_) => used.iter().filter(|byte| **byte & 0xC0 != 0x80).count(),
            None => count,
        };
        self.position.byte += source_bytes as u64;
        self.token_bytes += count;
        self.taken += count;
    }
}
