//! The nearest valid name: what a person most likely meant.
//!
//! Decides only what is suggested, never what is accepted. Tests: below.

/// The candidate closest to `name`, or `None` if nothing is close enough to be a helpful guess.
///
/// Close is: equal but for case and `-`/`_`, or one is the start of the other (a forgotten unit
/// suffix), or at most a third of the letters (and no fewer than two) differ. Of two equally close
/// candidates the earlier one wins.
pub fn nearest<'a, I>(name: &str, candidates: I) -> Option<&'a str>
where
    I: IntoIterator<Item = &'a str>,
{
    let wanted = fold(name);
    if wanted.is_empty() || wanted.len() > NAME_LETTERS_MAX {
        return None;
    }
    candidates
        .into_iter()
        .filter_map(|candidate| score(&wanted, &fold(candidate)).map(|score| (score, candidate)))
        .min_by_key(|(score, _)| *score)
        .map(|(_, candidate)| candidate)
}

/// Longer names are not compared: the table is quadratic, and nobody mistypes a name of this
/// length.
const NAME_LETTERS_MAX: usize = 128;

fn fold(name: &str) -> Vec<char> {
    name.chars()
        .map(|letter| if letter == '-' { '_' } else { letter.to_ascii_lowercase() })
        .collect()
}

/// Smaller is closer; a shared beginning counts as one edit and a bit, so that a true one-letter
/// slip still wins.
fn score(wanted: &[char], candidate: &[char]) -> Option<usize> {
    let edits = edit_distance(wanted, candidate);
    let longest = wanted.len().max(candidate.len());
    let by_edits = (edits <= (longest / 3).max(2) && edits < longest).then_some(2 * edits);
    let shorter = wanted.len().min(candidate.len());
    let by_start = (shorter >= 3 && wanted[..shorter] == candidate[..shorter]).then_some(3);
    match (by_edits, by_start) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Levenshtein distance: insertions, deletions and substitutions.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 4] = ["period_us", "deadline_us", "late_after_us", "wheelbase_m"];

    #[test]
    fn a_slip_of_one_letter_finds_its_key() {
        assert_eq!(nearest("perod_us", KEYS), Some("period_us"));
        assert_eq!(nearest("period_ms", KEYS), Some("period_us"));
    }

    #[test]
    fn a_forgotten_unit_finds_its_key() {
        assert_eq!(nearest("wheelbase", KEYS), Some("wheelbase_m"));
        assert_eq!(nearest("late_after", KEYS), Some("late_after_us"));
    }

    #[test]
    fn case_and_hyphens_do_not_count() {
        assert_eq!(nearest("Period-US", KEYS), Some("period_us"));
    }

    #[test]
    fn nothing_close_is_no_guess() {
        assert_eq!(nearest("colour", KEYS), None);
        assert_eq!(nearest("", KEYS), None);
        assert_eq!(nearest(&"x".repeat(100_000), KEYS), None);
    }

    #[test]
    fn distance_counts_single_edits() {
        let d = |a: &str, b: &str| {
            edit_distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>())
        };
        assert_eq!(d("", "abc"), 3);
        assert_eq!(d("kitten", "sitting"), 3);
        assert_eq!(d("abc", "abc"), 0);
    }
}
