//! Tamper evidence: Merkle roots over what was booked, each chained to the one before.
//!
//! The digest is an argument, `hash`: text in, 64 hexadecimal digits out.
//!
//! Source: leaf and node prefixes as in RFC 6962, section 2.1.

/// The head before the first seal, and the root over nothing.
pub const FIRST_HEAD: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The Merkle root over leaves; a lone node moves up unchanged.
pub fn root(leaves: &[String], hash: impl Fn(&[u8]) -> String) -> String {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => hash(format!("\u{1}{left}{right}").as_bytes()),
                rest => rest.concat(),
            })
            .collect();
    }
    level.pop().unwrap_or_else(|| FIRST_HEAD.to_owned())
}

/// The head of a seal: its number and root, chained to the head before.
pub fn head(number: i64, previous: &str, root: &str, hash: impl Fn(&[u8]) -> String) -> String {
    hash(format!("{number}:{previous}:{root}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes down what was hashed, so that what a root covers can be read.
    fn shown(bytes: &[u8]) -> String {
        format!("({})", String::from_utf8_lossy(bytes).replace('\u{1}', ""))
    }

    fn leaves(words: &str) -> Vec<String> {
        words.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_root_covers_every_leaf_in_its_order() {
        let root = |words| root(&leaves(words), shown);
        assert_eq!(root("a b c d"), "((ab)(cd))");
        assert_eq!(root("a b c d e f g"), "(((ab)(cd))((ef)g))");
        assert_eq!((root("a").as_str(), root("").as_str()), ("a", FIRST_HEAD));
    }

    #[test]
    fn a_node_is_never_taken_for_a_leaf() {
        let plain = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(root(&leaves("a b"), plain), "\u{1}ab");
    }

    #[test]
    fn a_head_holds_its_number_the_head_before_and_the_root() {
        assert_eq!(head(7, "before", "root", shown), "(7:before:root)");
    }
}
