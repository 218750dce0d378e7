//! What a mail address and a password must be like.

use unicode_normalization::UnicodeNormalization as _;

use crate::{config::Secret, error::Check, limits};

/// Longest part before the at sign. Source: RFC 5321, section 4.5.3.1.1.
const LOCAL_PART_CHARS_MAX: usize = 64;
/// Longest label of a domain. Source: RFC 1035, section 2.3.4.
const LABEL_CHARS_MAX: usize = 63;
/// Fewest different characters of a password.
const PASSWORD_LETTERS_MIN: usize = 5;
/// Longest block whose repetition makes up a whole password, as in `torvtorvtorv`.
const REPEATED_BLOCK_CHARS_MAX: usize = 6;
/// Shortest run along a keyboard or an alphabet that is no secret.
const RUNS: [&str; 6] = [
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjkl",
    "azertyuiopqsdfghjklm",
    "1q2w3e4r5t6y7u8i9o0p",
];
/// Words that every list of guesses begins with, long enough to pass for a password.
const GUESSED_FIRST: [&str; 12] = [
    "password",
    "passw0rd",
    "letmein",
    "welcome",
    "iloveyou",
    "administrator",
    "changeme",
    "qwerty",
    "trustno1",
    "correcthorsebatterystaple",
    "torv",
    "kodeord",
];

/// The mail address as it is kept and compared: in lower case, without surrounding white space.
pub(in crate::people) fn normalize_email(email: &str) -> String {
    email.trim().to_ascii_lowercase()
}

/// Notes what is wrong with a mail address that [`normalize_email`] returned.
///
/// Only ASCII is taken (write an international domain as `xn--…`): two addresses that look the same
/// on a screen would otherwise be two accounts.
pub(in crate::people) fn check_email(check: &mut Check, email: &str, pointer: &str) {
    check.require(email.chars().count() <= limits::EMAIL_CHARS_MAX, pointer, {
        format!("Use at most {} characters.", limits::EMAIL_CHARS_MAX)
    });
    let advice = "Write a mail address as name@example.org, in ASCII (an international domain as xn--…).";
    check.require(is_email(email), pointer, advice);
}

fn is_email(email: &str) -> bool {
    let Some((local, domain)) = email.rsplit_once('@') else { return false };
    let atom = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-.".contains(&c);
    let local_ok = (1..=LOCAL_PART_CHARS_MAX).contains(&local.len())
        && local.bytes().all(atom)
        && local.split('.').all(|part| !part.is_empty());
    let label_ok = |label: &str| {
        (1..=LABEL_CHARS_MAX).contains(&label.len())
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    local_ok && domain.contains('.') && domain.split('.').all(label_ok)
}

/// Notes why a password would be guessed at once. `known` are texts a guesser has: address and name.
///
/// Source: NIST SP 800-63B, section 5.1.1.2: long, and not an expected one, rather than full of
/// special characters.
pub(in crate::people) fn check_password(check: &mut Check, password: &Secret, known: &[&str], pointer: &str) {
    let text = password.expose();
    let chars = text.chars().count();
    check.require(chars >= limits::PASSWORD_CHARS_MIN, pointer, {
        format!("Use at least {} characters; a few words make a good password.", limits::PASSWORD_CHARS_MIN)
    });
    check.require(chars <= limits::PASSWORD_CHARS_MAX, pointer, {
        format!("Use at most {} characters.", limits::PASSWORD_CHARS_MAX)
    });
    if chars <= limits::PASSWORD_CHARS_MAX {
        let advice = "This would be guessed at once. Use a few words that don't belong together.";
        check.require(!is_trivial(&text.nfc().collect::<String>().to_lowercase(), known), pointer, advice);
    }
}

fn is_trivial(password: &str, known: &[&str]) -> bool {
    let letters: Vec<char> = password.chars().collect();
    let mut different = letters.clone();
    different.sort_unstable();
    different.dedup();
    let repeated = |block: usize| letters.chunks(block).all(|chunk| letters.starts_with(chunk));
    let core = password.trim_matches(|c: char| c.is_ascii_digit() || c.is_ascii_punctuation() || c.is_whitespace());
    let backwards: String = letters.iter().rev().collect();
    different.len() < PASSWORD_LETTERS_MIN
        || (1..=REPEATED_BLOCK_CHARS_MAX.min(letters.len() / 2)).any(repeated)
        || RUNS.iter().any(|run| run.contains(password) || run.contains(&backwards))
        || GUESSED_FIRST.contains(&core)
        || known.iter().any(|text| says_the_same(password, core, &text.to_lowercase()))
}

/// True when a password is a known text, its part before the at sign, or that with digits around it.
fn says_the_same(password: &str, core: &str, known: &str) -> bool {
    let local = known.split('@').next().unwrap_or_default();
    !known.is_empty() && (password == known || core == known || core == local)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email_ok(email: &str) -> bool {
        let mut check = Check::new();
        check_email(&mut check, email, "/email");
        check.done().is_ok()
    }

    fn password_ok(password: &str) -> bool {
        let mut check = Check::new();
        check_password(&mut check, &password.into(), &["mette@example.org", "Mette Hansen Juul"], "/password");
        check.done().is_ok()
    }

    #[test]
    fn ordinary_addresses_are_taken() {
        for good in ["a@b.dk", "first.last+tag@sub.example.org", "o'neil@xn--kbenhavn-54a.dk"] {
            assert!(email_ok(good), "{good}");
        }
        assert_eq!(normalize_email("  Mette@Example.ORG "), "mette@example.org");
    }

    #[test]
    fn addresses_that_could_pass_for_others_are_refused() {
        let long = format!("{}@example.org", "a".repeat(250));
        for bad in [
            "",
            "@",
            "a@b",
            "a@@b.dk",
            "a b@c.dk",
            "a@b..dk",
            ".a@b.dk",
            "a..b@c.dk",
            "a@-b.dk",
            "аdmin@example.org",
            "a@exаmple.org",
            "a\u{200b}@b.dk",
            "a\u{202e}@b.dk",
            "a@b.dk\n",
            "ａ@b.dk",
            "a＠b.dk",
            "a\0@b.dk",
            &long,
        ] {
            assert!(!email_ok(bad), "{bad:?}");
        }
    }

    #[test]
    fn long_unexpected_passwords_are_taken() {
        for good in ["harbour seagull lamp", "naar solen staar op", "風車と市場と海の夜明けの歌だ", "J7k!pQ2w-zR5t"]
        {
            assert!(password_ok(good), "{good}");
        }
    }

    #[test]
    fn what_is_guessed_first_is_refused() {
        for bad in [
            "short",
            "aaaaaaaaaaaaaa",
            "torvtorvtorv",
            "abcabcabcabcabc",
            "123456789012",
            "abcdefghijklm",
            "210987654321",
            "qwertyuiopasd",
            "Password2026!",
            "password1234",
            "mette@example.org",
            "METTE@example.org",
            "mette2026!!!!",
            "Mette Hansen Juul",
            "CorrectHorseBatteryStaple",
        ] {
            assert!(!password_ok(bad), "{bad}");
        }
        assert!(!password_ok(&"ab cd ef gh ".repeat(50)));
    }
}
