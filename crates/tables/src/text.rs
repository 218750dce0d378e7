//! Bytes to text: which encoding a file has, and reading it as UTF-8 in pieces of bounded size.

use std::{
    cell::Cell,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    rc::Rc,
};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::{ProfileError, unparsable};

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 << 10;
/// Bytes shown to the detector, from the first chunk that is not plain ASCII on.
const DETECT_BYTES: usize = 4 * CHUNK_BYTES;

/// What stands for bytes that are no character.
const MARK: &[u8] = "\u{FFFD}".as_bytes();
/// Room the decoder is given at least: the longest step it takes, and a mark.
const LEAST_ROOM_BYTES: usize = 32;

/// The encoding of a text file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TextEncoding {
    pub(super) encoding: &'static Encoding,
    /// Bytes of the byte order mark, 0 without one.
    pub(super) bom_bytes: u64,
}

/// Finds out the encoding: by the mark, else by whether all of it is UTF-8, else by the statistics of its bytes.
///
/// A file counts as UTF-8 as long as damaged characters are rare among its non-ASCII ones.
pub(super) fn detect_encoding(file: &mut File) -> Result<TextEncoding, ProfileError> {
    file.seek(SeekFrom::Start(0))?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut filled = fill(file, &mut chunk)?;
    if let Some((encoding, bom_bytes)) = Encoding::for_bom(&chunk[..filled]) {
        return Ok(TextEncoding { encoding, bom_bytes: bom_bytes as u64 });
    }
    if let Some(encoding) = utf16_without_mark(&chunk[..filled]) {
        return Ok(TextEncoding { encoding, bom_bytes: 0 });
    }
    if chunk[..filled].contains(&0) {
        return Err(unparsable("the file is binary: it holds zero bytes and is in no format that is read here"));
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let mut census = Utf8Census::default();
    let mut fed = 0;
    while filled > 0 {
        let bytes = &chunk[..filled];
        census.add(bytes);
        if fed < DETECT_BYTES && (fed > 0 || !bytes.is_ascii()) {
            detector.feed(bytes, false);
            fed += bytes.len();
        }
        filled = fill(file, &mut chunk)?;
    }
    let encoding = if census.is_utf8() { UTF_8 } else { detector.guess(None, Utf8Detection::Deny) };
    Ok(TextEncoding { encoding, bom_bytes: 0 })
}

/// Reads until `buffer` is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// Text in UTF-16 has a zero in most places on one side only.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let pairs = bytes.len() / 2;
    let zeros = |side: usize| bytes.iter().skip(side).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let mostly = |zeros: usize| pairs >= 4 && zeros * 10 >= pairs * 3;
    match (mostly(even), mostly(odd)) {
        (false, true) if even * 50 <= pairs => Some(UTF_16LE),
        (true, false) if odd * 50 <= pairs => Some(UTF_16BE),
        _ => None,
    }
}

/// Counts whole and broken characters of a stream.
#[derive(Debug, Default)]
struct Utf8Census {
    whole: u64,
    broken: u64,
    /// A character that a chunk boundary may have cut.
    rest: Vec<u8>,
}

impl Utf8Census {
    fn add(&mut self, bytes: &[u8]) {
        if self.rest.is_empty() && bytes.is_ascii() {
            return;
        }
        let joined;
        let mut left = if self.rest.is_empty() {
            bytes
        } else {
            joined = [self.rest.as_slice(), bytes].concat();
            joined.as_slice()
        };
        self.rest = Vec::new();
        loop {
            match std::str::from_utf8(left) {
                Ok(text) => return self.count(text.as_bytes()),
                Err(error) => {
                    self.count(&left[..error.valid_up_to()]);
                    let Some(skip) = error.error_len() else {
                        self.rest = left[error.valid_up_to()..].to_vec();
                        return;
                    };
                    self.broken += 1;
                    left = &left[error.valid_up_to() + skip..];
                }
            }
        }
    }

    fn count(&mut self, valid: &[u8]) {
        self.whole += valid.iter().filter(|byte| **byte >= 0xC0).count() as u64;
    }

    fn is_utf8(&self) -> bool {
        self.broken == 0 && (self.whole > 0 || self.rest.is_empty()) || self.whole > self.broken * 20
    }
}

/// What a reader and its user share: how much may be read before the user says that a piece is done.
#[derive(Debug)]
pub(super) struct Allowance {
    per_piece: u64,
    left: Cell<u64>,
    exceeded: Cell<bool>,
    replaced: Cell<u64>,
}

impl Allowance {
    /// A piece ends here, and the next may be as long again.
    pub(super) fn renew(&self) {
        self.left.set(self.per_piece);
    }

    /// True when the reader stopped because a piece was too long.
    pub(super) fn is_exceeded(&self) -> bool {
        self.exceeded.get()
    }

    /// Byte sequences that are no character in the encoding; each reads as `U+FFFD`.
    pub(super) fn replaced(&self) -> u64 {
        self.replaced.get()
    }
}

/// A file as UTF-8, decoded while it is read.
///
/// Reading fails once more than the allowance was read without [`Allowance::renew`], so that a parser that collects
/// a row until it ends (an open quotation mark, an endless string) can't collect the file.
pub(super) struct TextReader {
    file: File,
    decoder: Decoder,
    raw: Box<[u8]>,
    raw_at: usize,
    raw_end: usize,
    ended: bool,
    finished: bool,
    text: Box<[u8]>,
    text_at: usize,
    text_end: usize,
    allowance: Rc<Allowance>,
}

impl TextReader {
    /// Reads `file` from its beginning, without the byte order mark.
    pub(super) fn new(file: &File, encoding: TextEncoding, max_piece_bytes: u64) -> io::Result<Self> {
        let mut file = file.try_clone()?;
        file.seek(SeekFrom::Start(encoding.bom_bytes))?;
        // Parsers read ahead by a buffer of their own.
        let per_piece = max_piece_bytes.saturating_add(2 * CHUNK_BYTES as u64);
        Ok(Self {
            file,
            decoder: encoding.encoding.new_decoder_without_bom_handling(),
            raw: vec![0; CHUNK_BYTES].into(),
            raw_at: 0,
            raw_end: 0,
            ended: false,
            finished: false,
            text: vec![0; CHUNK_BYTES].into(),
            text_at: 0,
            text_end: 0,
            allowance: Rc::new(Allowance {
                per_piece,
                left: Cell::new(per_piece),
                exceeded: Cell::new(false),
                replaced: Cell::new(0),
            }),
        })
    }

    /// The allowance of this reader, to be renewed by its user.
    pub(super) fn allowance(&self) -> Rc<Allowance> {
        Rc::clone(&self.allowance)
    }

    /// Decodes the next stretch into `text`; leaves it empty at the end of the file.
    fn decode(&mut self) -> io::Result<()> {
        (self.text_at, self.text_end) = (0, 0);
        while !self.finished {
            if self.raw_at == self.raw_end && !self.ended {
                (self.raw_at, self.raw_end) = (0, self.file.read(&mut self.raw)?);
                self.ended = self.raw_end == 0;
            }
            let room = &mut self.text[self.text_end..CHUNK_BYTES - MARK.len()];
            let source = &self.raw[self.raw_at..self.raw_end];
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(source, room, self.ended);
            self.raw_at += read;
            self.text_end += written;
            match result {
                DecoderResult::Malformed(..) => {
                    self.allowance.replaced.set(self.allowance.replaced.get() + 1);
                    self.text[self.text_end..self.text_end + MARK.len()].copy_from_slice(MARK);
                    self.text_end += MARK.len();
                    if CHUNK_BYTES - self.text_end < LEAST_ROOM_BYTES {
                        return Ok(());
                    }
                }
                DecoderResult::InputEmpty => {
                    self.finished = self.ended;
                    if self.text_end > 0 {
                        return Ok(());
                    }
                }
                DecoderResult::OutputFull => return Ok(()),
            }
        }
        Ok(())
    }
}

impl Read for TextReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.text_at == self.text_end {
            self.decode()?;
        }
        let count = buffer.len().min(self.text_end - self.text_at);
        let left = self.allowance.left.get();
        if count as u64 > left {
            self.allowance.exceeded.set(true);
            return Err(io::Error::other("a row is too long"));
        }
        self.allowance.left.set(left - count as u64);
        buffer[..count].copy_from_slice(&self.text[self.text_at..self.text_at + count]);
        self.text_at += count;
        Ok(count)
    }
}

/// The first character of a text that is no white space, if it is ASCII.
pub(super) fn first_sign(file: &File, encoding: TextEncoding) -> io::Result<Option<u8>> {
    let mut reader = TextReader::new(file, encoding, u64::MAX)?;
    let mut buffer = [0; 512];
    loop {
        let count = reader.read(&mut buffer)?;
        let first = buffer[..count].iter().find(|byte| !byte.is_ascii_whitespace());
        if first.is_some() || count == 0 {
            return Ok(first.copied());
        }
    }
}
