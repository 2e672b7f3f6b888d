//! Kills at length: `kills RECORDER KILLS SEED`, where RECORDER is the program rlds-logger. How far it is
//! goes to stderr, what it came to as one JSON object to stdout.
//!
//! Exit codes: 0, 1 (an episode does not hold what it must, or nothing was shown), 2 (misuse).

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/kills/mod.rs"]
mod kills;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;

/// A word to whoever waits.
const TELL_EVERY: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [recorder, kills, seed] = &arguments[..] else {
        progress("expected the recorder's program, a number of kills and a seed");
        return ExitCode::from(2);
    };
    let (Ok(kills), Ok(seed)) = (kills.parse::<u64>(), seed.parse::<u64>()) else {
        progress(&format!("expected numbers of kills and of a seed, found `{kills}` and `{seed}`"));
        return ExitCode::from(2);
    };
    let (begin, mut told) = (Instant::now(), Instant::now());
    let tell = |done| {
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            progress(&format!("{done} of {kills} kills, {} s", begin.elapsed().as_secs()));
        }
    };
    let campaign = kills::campaign(Path::new(recorder), seed, kills, tell);
    let all = campaign.as_ref().copied().unwrap_or_default();
    let mut wrong = campaign.err();
    if wrong.is_none() && all.acknowledged == 0 {
        wrong = Some("no step was ever acknowledged: this shows nothing".to_owned());
    }
    let line = match &wrong {
        Some(wrong) => format!("{wrong}; seed {seed}"),
        None => format!(
            "{} kills, {} put in order by the next recorder, {} torn; 0 of {} acknowledged steps lost, \
             0 of {} records made up, twice or missing; seed {seed}",
            all.kills, all.by_the_next, all.torn, all.acknowledged, all.records
        ),
    };
    let figures = json!({
        "seed": seed,
        "kills": all.kills,
        "by_the_next": all.by_the_next,
        "torn": all.torn,
        "acknowledged_steps": all.acknowledged,
        "records": all.records,
        "wrong": wrong,
    });
    let told = json!({ "good": wrong.is_none(), "line": line, "figures": figures });
    // Whoever has gone has read enough.
    writeln!(std::io::stdout(), "{told}").ok();
    u8::from(wrong.is_some()).into()
}

fn progress(words: &str) {
    writeln!(std::io::stderr(), "kills: {words}").ok();
}
