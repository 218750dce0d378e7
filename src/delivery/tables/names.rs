//! Names that tools can write into addresses: `share.schema.table` is split at the dots, and compared without case.

/// Longest part of a share's name that comes from its title.
const TITLE_CHARS_MAX: usize = 60;

/// What a name is when nothing of it can be kept.
const NAMELESS: &str = "data";

/// The title and the first digits of the grant's id, which make the name of a share its own.
pub(super) fn share_name(title: &str, digits: &str) -> String {
    let kept: String = plain(&title.to_lowercase()).chars().take(TITLE_CHARS_MAX).collect();
    format!("{}_{digits}", kept.trim_end_matches('_'))
}

/// The digits at the end of a share's name.
pub(super) fn digits_of(share: &str) -> Option<&str> {
    share.rsplit_once('_').map(|(_, digits)| digits)
}

/// The names of the tables of files, in their order: without the ending, where that leaves one of its own.
pub(super) fn table_names<'a>(files: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
    let stems: Vec<String> = files.clone().map(|file| plain(stem(file))).collect();
    let mut taken: Vec<String> = Vec::with_capacity(stems.len());
    for (file, stem) in files.zip(&stems) {
        let alone = stems.iter().filter(|other| is_same(other, stem)).count() == 1;
        let whole = if alone { stem.clone() } else { plain(file) };
        let numbered = (2..).map(|number: u32| format!("{whole}_{number}"));
        let mut free = std::iter::once(whole.clone()).chain(numbered);
        let name = free.find(|name| !taken.iter().any(|other| is_same(other, name)));
        taken.push(name.unwrap_or(whole));
    }
    taken
}

/// Whether a tool means the same by two names.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    one == other || one.to_lowercase() == other.to_lowercase()
}

fn stem(file: &str) -> &str {
    file.rsplit_once('.').map_or(file, |(stem, _)| if stem.is_empty() { file } else { stem })
}

/// Letters and digits of any script, hyphens, and an underscore for everything else.
fn plain(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() || c == '-' {
            kept.push(c);
        } else if !kept.ends_with('_') {
            kept.push('_');
        }
    }
    let kept = kept.trim_matches('_');
    if kept.is_empty() { NAMELESS.to_owned() } else { kept.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_keeps_its_title_without_what_tools_split_at() {
        assert_eq!(share_name("Havnens vandstand 2.0 / #7?", "01a0"), "havnens_vandstand_2_0_7_01a0");
        assert_eq!(share_name("台北市.河川水位", "01a0"), "台北市_河川水位_01a0");
        assert_eq!(share_name("…", "01a0"), "data_01a0");
        assert_eq!(digits_of(&share_name(&"long ".repeat(50), "01a0")), Some("01a0"));
    }

    #[test]
    fn tables_are_named_after_their_files_and_never_twice() {
        let names = |files: &[&str]| table_names(files.iter().copied());
        assert_eq!(names(&["水位 10分.parquet", "v1.2.csv"]), ["水位_10分", "v1_2"]);
        assert_eq!(names(&["a.csv", "A.parquet", "b.csv"]), ["a_csv", "A_parquet", "b"]);
        assert_eq!(names(&["a b.csv", "a_b.csv", "a-b.csv"]), ["a_b_csv", "a_b_csv_2", "a-b"]);
        assert_eq!(names(&[".csv", "..."]), ["csv", "data"]);
    }
}
