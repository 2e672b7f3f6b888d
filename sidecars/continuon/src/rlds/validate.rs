//! `continuon rlds validate`: each episode judged, each fault in a line.
//!
//! Decides how the answer is told, and the exit code; the rules are those of `rlds::validate`. Tests:
//! tests/rlds.rs; the rules themselves in the rlds crate.

use super::episodes::find_all;
use crate::exit::{Exit, Failure};
use crate::output::{print, print_line};
use crate::progress::Progress;
use crate::report::text::counted;
use clap::{Args, ValueEnum};
use rlds::validate::{Finding, Profile, Unreadable, Verdict, validate};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Findings of one rule in one episode that are told, unless all are asked for.
const TOLD_OF_A_RULE: u64 = 20;

pub(super) const EXAMPLES: &str = "\
Examples:
  continuon rlds validate                        the newest episode
  continuon rlds validate runs/2026-11-20T184405Z-sim
  continuon rlds validate rlds/episodes --strict --json

Exit codes: 0 all valid, 1 warnings with --strict, 2 an episode is not valid or is none,
3 a file could not be read.";

/// Options of `continuon rlds validate`.
#[derive(Clone, Debug, Args)]
pub struct ValidateArgs {
    /// Episodes, folders of episodes, or folders of runs; without any, the newest episode.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Warnings are failures too.
    #[arg(long)]
    pub strict: bool,
    /// Whose rules apply.
    #[arg(long, value_enum, value_name = "NAME", default_value_t = ProfileName::Auto)]
    pub profile: ProfileName,
    /// Tell every finding; without it, 20 of each rule and how many more there are.
    #[arg(long)]
    pub all: bool,
}

/// Whose rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProfileName {
    /// The promotion record's, if the metadata says that it is one; otherwise the ordinary ones.
    Auto,
    /// An ordinary episode's.
    Normal,
    /// The one-step record of an adapter's promotion.
    Promotion,
}

impl From<ProfileName> for Profile {
    fn from(name: ProfileName) -> Self {
        match name {
            ProfileName::Auto => Self::Recognised,
            ProfileName::Normal => Self::Normal,
            ProfileName::Promotion => Self::Promotion,
        }
    }
}

/// One episode, as it is told.
#[derive(Debug, Serialize)]
struct Judged {
    episode: String,
    valid: bool,
    profile: &'static str,
    steps: u64,
    duration_s: f64,
    /// What is missing, by name; `null` where the episode does not count.
    lost: Option<BTreeMap<String, u64>>,
    errors: u64,
    warnings: u64,
    /// How often each rule was broken.
    rules: BTreeMap<&'static str, u64>,
    findings: Vec<Finding>,
}

/// Runs `continuon rlds validate`.
///
/// # Errors
/// A path holds no episode, or a file cannot be read.
pub(super) fn command(args: &ValidateArgs, json: bool) -> Result<Exit, Failure> {
    let found = find_all(&args.paths)?;
    let progress = Progress::new();
    let mut all = Vec::new();
    for episode in &found.episodes {
        progress.working(&format!("validating {}", episode.display()));
        let judged =
            judge(episode, args).map_err(|error| Failure::not_possible(error.to_string()))?;
        if !json {
            progress.aside(|| print(&render(&judged)))?;
        }
        all.push(judged);
    }
    progress.done();
    let is_valid = all.iter().all(|judged| judged.valid);
    if json {
        print_line(json!({
            "valid": is_valid,
            "strict": args.strict,
            "episodes": all,
            "left_out": found.left_out,
        }))?;
    } else {
        for folder in &found.left_out {
            print_line(format!("{}: no episode, left out", folder.display()))?;
        }
        if all.len() > 1 {
            print(&total(&all))?;
        }
    }
    Ok(match (is_valid, all.iter().any(|judged| judged.errors > 0)) {
        (true, _) => Exit::Ok,
        (false, true) => Exit::Misuse,
        (false, false) => Exit::No,
    })
}

fn judge(episode: &Path, args: &ValidateArgs) -> Result<Judged, Unreadable> {
    let mut rules = BTreeMap::new();
    let mut findings = Vec::new();
    let verdict = validate(episode, args.profile.into(), &mut |finding: Finding| {
        let count = rules.entry(finding.rule).or_insert(0_u64);
        *count += 1;
        if args.all || *count <= TOLD_OF_A_RULE {
            findings.push(finding);
        }
    })?;
    let Verdict { steps, duration_ns, is_promotion, lost, errors, warnings } = verdict;
    Ok(Judged {
        episode: episode.display().to_string(),
        valid: errors == 0 && !(args.strict && warnings > 0),
        profile: if is_promotion { "promotion" } else { "normal" },
        steps,
        duration_s: seconds(duration_ns),
        lost,
        errors,
        warnings,
        rules,
        findings,
    })
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn render(judged: &Judged) -> String {
    let mut text = String::new();
    for finding in &judged.findings {
        line(&mut text, finding);
    }
    for (rule, count) in &judged.rules {
        let told = judged.findings.iter().filter(|finding| finding.rule == *rule).count() as u64;
        if *count > told {
            let more = counted(count - told, "more finding");
            line(&mut text, format_args!("… and {more} of [{rule}] (--all tells each)"));
        }
    }
    let lost = match &judged.lost {
        None => "what is lost is not told".to_owned(),
        Some(lost) if lost.is_empty() => "0 lost".to_owned(),
        Some(lost) => {
            let each: Vec<String> =
                lost.iter().map(|(name, count)| format!("{name} {count}")).collect();
            format!("lost: {}", each.join(", "))
        }
    };
    let faults = faults(judged.errors, judged.warnings);
    let answer = if judged.valid { "valid" } else { "NOT valid" };
    let (steps, duration_s) = (counted(judged.steps, "step"), judged.duration_s);
    let episode = &judged.episode;
    line(
        &mut text,
        format_args!("{episode}: {answer}, {lost}{faults}; {steps} in {duration_s:.2} s"),
    );
    text
}

/// `, 2 errors, 1 warning`; nothing where there is nothing.
fn faults(errors: u64, warnings: u64) -> String {
    [(errors, "error"), (warnings, "warning")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!(", {}", counted(count, what)))
        .collect()
}

fn total(all: &[Judged]) -> String {
    let valid = all.iter().filter(|judged| judged.valid).count() as u64;
    let count = all.len() as u64;
    let sum = |of: fn(&Judged) -> u64| all.iter().map(of).sum();
    let faults = faults(sum(|judged| judged.errors), sum(|judged| judged.warnings));
    format!("{}: {valid} valid, {} not{faults}\n", counted(count, "episode"), count - valid)
}

fn line(text: &mut String, words: impl std::fmt::Display) {
    // Writing to a text never fails.
    writeln!(text, "{words}").ok();
}

#[cfg(test)]
mod tests {
    use super::{Judged, render};
    use rlds::validate::{Finding, Severity};
    use std::collections::BTreeMap;

    #[test]
    fn findings_that_are_left_out_are_counted() {
        let finding = Finding {
            severity: Severity::Error,
            rule: "skew",
            file: "ep/steps/000000.jsonl".to_owned(),
            line: Some(7),
            step: Some(6),
            field: "observation.media.rgb.timestamp_ns".to_owned(),
            expected: "within ±5 ms".to_owned(),
            found: "500 ms away".to_owned(),
        };
        let judged = Judged {
            episode: "ep".to_owned(),
            valid: false,
            profile: "normal",
            steps: 412,
            duration_s: 20.55,
            lost: Some(BTreeMap::from([("telemetry_lost_ring".to_owned(), 3)])),
            errors: 2000,
            warnings: 1,
            rules: BTreeMap::from([("skew", 2000), ("lost", 1)]),
            findings: vec![finding],
        };
        let expected = "\
ep/steps/000000.jsonl:7: error: step 6: observation.media.rgb.timestamp_ns: expected within ±5 ms, found 500 ms away [skew]
… and 1 more finding of [lost] (--all tells each)
… and 1 999 more findings of [skew] (--all tells each)
ep: NOT valid, lost: telemetry_lost_ring 3, 2 000 errors, 1 warning; 412 steps in 20.55 s
";
        assert_eq!(render(&judged), expected);
    }
}
