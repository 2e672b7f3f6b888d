//! What a run of one fuzz target came to, out of what libFuzzer says. Tests: below.

use serde_json::{Value, json};
use std::path::PathBuf;

/// One target's run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Report {
    pub(super) target: String,
    pub(super) seconds: f64,
    /// Inputs that were run.
    pub(super) inputs: u64,
    /// Places of the code that were reached: edges of its control flow.
    pub(super) edges: u64,
    /// Inputs in the corpus afterwards.
    pub(super) corpus: u64,
    /// The most memory.
    pub(super) memory_mb: u64,
    /// The slowest input, in whole seconds.
    pub(super) slowest_s: u64,
    /// Inputs that must not be: minimised.
    pub(super) found: Vec<PathBuf>,
    /// What was wrong, and where its log is.
    pub(super) wrong: Option<String>,
}

impl Report {
    /// Out of what it said.
    pub(super) fn of(target: &str, seconds: f64, said: &str) -> Self {
        let stat = |name: &str| {
            let line =
                said.lines().rev().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name));
            line.and_then(|line| line.trim_start_matches(':').trim().parse().ok())
                .unwrap_or_default()
        };
        Self {
            target: target.to_owned(),
            seconds,
            inputs: stat("number_of_executed_units"),
            edges: edges(said),
            memory_mb: stat("peak_rss_mb"),
            slowest_s: stat("slowest_unit_time_sec"),
            ..Self::default()
        }
    }

    pub(super) fn is_good(&self) -> bool {
        self.wrong.is_none() && self.found.is_empty()
    }

    pub(super) fn in_words(&self) -> String {
        let mut words = format!(
            "{:<17} {:6.1} s  {:>9} inputs, {:>5} edges, corpus {:>5}, {:>4} MiB, slowest {} s",
            self.target,
            self.seconds,
            self.inputs,
            self.edges,
            self.corpus,
            self.memory_mb,
            self.slowest_s
        );
        for found in &self.found {
            words += &format!("; found {}", found.display());
        }
        if let Some(wrong) = &self.wrong {
            words += &format!("; {wrong}");
        }
        words
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "target": self.target,
            "good": self.is_good(),
            "seconds": self.seconds,
            "inputs": self.inputs,
            "edges": self.edges,
            "corpus": self.corpus,
            "memory_mb": self.memory_mb,
            "slowest_s": self.slowest_s,
            "found": self.found,
            "wrong": self.wrong,
        })
    }
}

/// Edges in the last line that counts them: `#8192 DONE cov: 1234 ft: …`.
fn edges(said: &str) -> u64 {
    let counted = said.lines().rev().find_map(|line| {
        let (_, rest) = line.strip_prefix('#')?.split_once("cov: ")?;
        rest.split_whitespace().next()?.parse().ok()
    });
    counted.unwrap_or_default()
}

/// Why libFuzzer stopped, in one line: the panic, or what the sanitizer says.
pub(super) fn complaint(said: &str) -> String {
    let mut lines = said.lines();
    while let Some(line) = lines.next() {
        if line.contains("panicked at") {
            return format!("{} {}", line.trim(), lines.next().unwrap_or_default().trim());
        }
        if line.contains("ERROR: ") {
            return line.trim().to_owned();
        }
    }
    "failed".to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Report, complaint};
    use std::path::PathBuf;

    const SAID: &str = "\
INFO: Seed: 1
#2	INITED cov: 410 ft: 500 corp: 2/9Kb exec/s: 0 rss: 60Mb
#8192	pulse  cov: 1234 ft: 5678 corp: 90/1Mb lim: 4096 exec/s: 1024 rss: 300Mb
#9000	DONE   cov: 1240 ft: 5690 corp: 91/1Mb lim: 4096 exec/s: 1024 rss: 301Mb
Done 9000 runs in 9 second(s)
stat::number_of_executed_units: 9000
stat::average_exec_per_sec:     1000
stat::new_units_added:          89
stat::slowest_unit_time_sec:    1
stat::peak_rss_mb:              301
";

    #[test]
    fn figures_of_a_run_are_those_that_libfuzzer_tells() {
        let report = Report::of("lz4", 9.5, SAID);
        let figures = (report.inputs, report.edges, report.memory_mb, report.slowest_s);
        assert_eq!(figures, (9000, 1240, 301, 1));
        assert!(report.is_good());
        assert_eq!(Report::of("lz4", 9.5, "it said nothing").inputs, 0);
    }

    #[test]
    fn an_input_that_was_found_is_a_no_and_is_named() {
        let mut report = Report::of("lz4", 9.5, SAID);
        report.found.push(PathBuf::from("found/lz4/found-crash-1"));
        assert!(!report.is_good());
        assert!(report.in_words().ends_with("found found/lz4/found-crash-1"));
        assert_eq!(report.to_json()["good"], false);
        report.found.clear();
        report.wrong = Some("ended early".to_owned());
        assert!(!report.is_good());
    }

    #[test]
    fn a_complaint_is_the_panic_or_what_the_sanitizer_says() {
        let panicked = "#1\n\nthread '<unnamed>' panicked at src/x.rs:3:5:\nit broke\nstack\n";
        assert_eq!(complaint(panicked), "thread '<unnamed>' panicked at src/x.rs:3:5: it broke");
        let hung =
            "#1\nALARM: working on the last Unit\n==1== ERROR: libFuzzer: timeout after 11 s\n";
        assert_eq!(complaint(hung), "==1== ERROR: libFuzzer: timeout after 11 s");
    }
}
