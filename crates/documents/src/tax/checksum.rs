//! Check digits of VAT ids. Every function gets an id body whose shape is already checked.

/// For ids without a published check digit, or with one that has too many exceptions to be worth it.
pub(super) fn none(_: &[u8]) -> bool {
    true
}

fn digit(byte: u8) -> u32 {
    u32::from(byte.saturating_sub(b'0'))
}

fn weighted(body: &[u8], weights: &[u32]) -> u32 {
    body.iter().zip(weights).map(|(byte, weight)| digit(*byte) * weight).sum()
}

fn number(body: &[u8]) -> u64 {
    body.iter().fold(0, |sum, byte| sum * 10 + u64::from(digit(*byte)))
}

fn last(body: &[u8]) -> u32 {
    body.last().map_or(0, |byte| digit(*byte))
}

fn without_last(body: &[u8]) -> &[u8] {
    body.split_last().map_or(&[], |(_, rest)| rest)
}

/// Sum of the Luhn algorithm: every second digit from the right doubled, digits of the products added.
fn luhn_sum(body: &[u8]) -> u32 {
    let value = |(place, byte): (usize, &u8)| {
        let doubled = digit(*byte) * if place % 2 == 1 { 2 } else { 1 };
        doubled / 10 + doubled % 10
    };
    body.iter().rev().enumerate().map(value).sum()
}

pub(super) fn luhn(body: &[u8]) -> bool {
    luhn_sum(body).is_multiple_of(10)
}

/// DE, HR.
pub(super) fn iso_7064_mod_11_10(body: &[u8]) -> bool {
    let product = without_last(body).iter().fold(10, |product, byte| {
        let sum = (digit(*byte) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == last(body)
}

pub(super) fn austria(body: &[u8]) -> bool {
    let digits = &body[1..];
    (96 - luhn_sum(without_last(digits))) % 10 == last(digits)
}

pub(super) fn belgium(body: &[u8]) -> bool {
    97 - number(&body[..8]) % 97 == number(&body[8..])
}

pub(super) fn switzerland(body: &[u8]) -> bool {
    (11 - weighted(body, &[5, 4, 3, 2, 7, 6, 5, 4]) % 11) % 11 == digit(body[8])
}

pub(super) fn denmark(body: &[u8]) -> bool {
    body[0] != b'0' && weighted(body, &[2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

pub(super) fn estonia(body: &[u8]) -> bool {
    weighted(body, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
}

pub(super) fn finland(body: &[u8]) -> bool {
    weighted(body, &[7, 9, 10, 5, 8, 4, 2, 1]).is_multiple_of(11)
}

/// The key is checked where it is numeric; the newer keys with letters have no published rule.
pub(super) fn france(body: &[u8]) -> bool {
    let (key, siren) = body.split_at(2);
    // Monaco's ids begin with 000 and are no SIREN.
    let siren_right = siren.starts_with(b"000") || luhn(siren);
    let key_right = !key.iter().all(u8::is_ascii_digit) || number(key) == (number(siren) * 100 + 12) % 97;
    siren_right && key_right
}

pub(super) fn united_kingdom(body: &[u8]) -> bool {
    let sum = u64::from(weighted(body, &[8, 7, 6, 5, 4, 3, 2])) + number(&body[7..9]);
    // 42 and 55 are the remainders of the series that begin with 100 and above.
    sum.is_multiple_of(97) || (number(&body[..3]) >= 100 && matches!(sum % 97, 42 | 55))
}

pub(super) fn greece(body: &[u8]) -> bool {
    weighted(body, &[256, 128, 64, 32, 16, 8, 4, 2]) % 11 % 10 == last(body)
}

pub(super) fn hungary(body: &[u8]) -> bool {
    weighted(body, &[9, 7, 3, 1, 9, 7, 3, 1]).is_multiple_of(10)
}

/// The first digit after the T checks the other twelve.
pub(super) fn japan(body: &[u8]) -> bool {
    let digits = &body[1..];
    9 - weighted(&digits[1..], &[2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1]) % 9 == digit(digits[0])
}

pub(super) fn luxembourg(body: &[u8]) -> bool {
    number(&body[..6]) % 89 == number(&body[6..])
}

pub(super) fn malta(body: &[u8]) -> bool {
    weighted(body, &[3, 4, 6, 7, 8, 9, 10, 1]).is_multiple_of(37)
}

/// Ids of companies follow the old mod 11 rule, those of sole traders since 2020 mod 97 over the whole id.
pub(super) fn netherlands(body: &[u8]) -> bool {
    let eleven = weighted(body, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11 == digit(body[8]);
    let letters_as_numbers = b"NL".iter().chain(body).fold(0_u64, |sum, byte| match byte {
        b'A'..=b'Z' => (sum * 100 + u64::from(byte - b'A') + 10) % 97,
        _ => (sum * 10 + u64::from(digit(*byte))) % 97,
    });
    eleven || letters_as_numbers == 1
}

pub(super) fn norway(body: &[u8]) -> bool {
    weighted(body, &[3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

pub(super) fn poland(body: &[u8]) -> bool {
    weighted(body, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == last(body)
}

pub(super) fn portugal(body: &[u8]) -> bool {
    body[0] != b'0' && (11 - weighted(body, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11 % 10 == last(body)
}

/// Weights count from the right, as the id has two to ten digits.
pub(super) fn romania(body: &[u8]) -> bool {
    let sum: u32 = without_last(body).iter().rev().zip([2, 3, 5, 7, 1, 2, 3, 5, 7]).map(|(b, w)| digit(*b) * w).sum();
    body[0] != b'0' && sum * 10 % 11 % 10 == last(body)
}

/// Ten digits with a Luhn check, then the number of the registration, from 01.
pub(super) fn sweden(body: &[u8]) -> bool {
    luhn(&body[..10]) && number(&body[10..]) > 0
}

pub(super) fn slovenia(body: &[u8]) -> bool {
    let check = 11 - weighted(body, &[8, 7, 6, 5, 4, 3, 2]) % 11;
    body[0] != b'0' && check != 11 && check % 10 == last(body)
}

pub(super) fn slovakia(body: &[u8]) -> bool {
    body[0] != b'0' && number(body).is_multiple_of(11)
}

/// The rule of 2023: divisible by 5; a 7 in the seventh place counts as 28, whose digit sum may be 10 or 1.
pub(super) fn taiwan(body: &[u8]) -> bool {
    let sum: u32 = body
        .iter()
        .zip([1, 2, 1, 2, 1, 2, 4, 1])
        .map(|(byte, weight)| digit(*byte) * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    sum.is_multiple_of(5) || (body[6] == b'7' && (sum + 1).is_multiple_of(5))
}
