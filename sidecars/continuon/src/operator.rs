//! `arm`, `disarm`, `estop`, `reset`: one request over the operator socket, and the answer in words.
//!
//! Decides nothing: the loop does. A refusal names every interlock with what mends it. Tests: below.

use crate::cli::WhichRun;
use crate::exit::{Exit, Failure};
use crate::observe::watch::not_possible;
use crate::output::{print_line, say};
use crate::run_dir;
use rt_shm::operator::Refusal;
use rt_wire::{FaultSet, InterlockSet, Mode, OperatorKind};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// How long the loop may take to answer: it does so within a few cycles.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the loop answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Mode after the request.
    pub mode: Option<Mode>,
    /// Causes present or latched.
    pub causes: FaultSet,
    /// Why arming is refused.
    pub interlocks: InterlockSet,
    /// Why the loop did not do what was asked.
    pub refusal: Refusal,
}

impl Answer {
    /// Whether the loop did what was asked.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.refusal == Refusal::None
    }
}

/// Asks the loop that is served in `run_dir`.
///
/// # Errors
/// Nobody answers there, or this user may not ask.
pub fn ask(run_dir: &Path, kind: OperatorKind) -> Result<Answer, Failure> {
    let reply = rt_shm::operator::request(run_dir, kind, PATIENCE).map_err(not_possible)?;
    Ok(Answer {
        mode: reply.mode.get(),
        causes: reply.causes,
        interlocks: reply.interlocks,
        refusal: reply.refusal,
    })
}

/// Runs one of the four commands.
///
/// # Errors
/// No robot runs, nobody answers, or a request that leads to motion and may mean several.
pub fn command(kind: OperatorKind, which: &WhichRun, json: bool) -> Result<Exit, Failure> {
    // A guess may stop a car that was not meant; it must never move one.
    let (running, others) = match kind {
        OperatorKind::Estop | OperatorKind::Disarm => run_dir::find_to_stop(which)?,
        _ => (run_dir::find(which)?, None),
    };
    let answer = ask(&running.run_dir, kind);
    // After the request, which waits for nothing.
    if let Some(others) = others {
        say(others);
    }
    let answer = answer?;
    if json {
        print_line(as_json(kind, &running.robot, answer))?;
    } else {
        print_line(format!("{}: {}", running.robot, in_words(kind, answer)))?;
    }
    Ok(if answer.is_done() { Exit::Ok } else { Exit::No })
}

fn as_json(kind: OperatorKind, robot: &str, answer: Answer) -> Value {
    json!({
        "robot": robot,
        "request": kind.name(),
        "done": answer.is_done(),
        "refusal": answer.refusal.name(),
        "mode": answer.mode.map(Mode::name),
        "causes": causes_json(answer.causes),
        "interlocks": interlocks_json(answer.interlocks),
    })
}

/// Each cause with its severity, what it means and what mends it.
#[must_use]
pub fn causes_json(causes: FaultSet) -> Value {
    let told = causes.faults().map(|fault| {
        json!({
            "name": fault.name(), "severity": fault.severity().name(),
            "meaning": fault.meaning(), "mend": fault.mend(),
        })
    });
    told.collect()
}

/// Each interlock with what it means and what mends it.
#[must_use]
pub fn interlocks_json(interlocks: InterlockSet) -> Value {
    let told = interlocks.interlocks().map(|interlock| {
        json!({
            "name": interlock.name(), "meaning": interlock.meaning(), "mend": interlock.mend(),
        })
    });
    told.collect()
}

/// What came of a request, as a person is told it.
#[must_use]
pub fn in_words(kind: OperatorKind, answer: Answer) -> String {
    let (kind, mode) = (kind.name(), answer.mode.map_or("an unknown mode", Mode::name));
    match answer.refusal {
        Refusal::None => format!("{kind}: done, now {mode}"),
        Refusal::Interlocked => {
            format!("{kind}: refused, still {mode}{}", reasons(answer.interlocks, answer.causes))
        }
        Refusal::NotPermitted => format!(
            "{kind}: refused: this user may only stop the car (enter its uid under `operators` in the \
             robot file, or ask as the fast loop's user)"
        ),
        Refusal::WrongMode => format!("{kind}: refused: it means nothing in {mode}"),
        Refusal::Timeout => format!(
            "{kind}: the loop did not act in time, it is in {mode} (is it stopped? see `continuon top`)"
        ),
        Refusal::Busy => format!("{kind}: refused: another request is still waiting, ask again"),
    }
}

/// Each interlock and each stopping cause on lines of its own, with what mends it.
#[must_use]
pub fn reasons(interlocks: InterlockSet, causes: FaultSet) -> String {
    let mut words = String::new();
    let mut tell = |name: &str, meaning: &str, mend: &str| {
        words.push_str(&format!("\n  {name}: {meaning}\n    {mend}"));
    };
    for interlock in interlocks.interlocks() {
        tell(interlock.name(), interlock.meaning(), interlock.mend());
    }
    let stops = |fault: &rt_wire::Fault| !matches!(fault.severity(), rt_wire::Severity::Warning);
    for fault in causes.faults().filter(stops) {
        tell(fault.name(), fault.meaning(), fault.mend());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::{Answer, as_json, in_words};
    use rt_shm::operator::Refusal;
    use rt_wire::{Fault, FaultSet, Interlock, InterlockSet, Mode, OperatorKind};

    fn answer() -> Answer {
        Answer {
            mode: Some(Mode::Disarmed),
            causes: FaultSet::of(Fault::BatteryLow).and(Fault::NotRealtime, true),
            interlocks: InterlockSet::NO_OWNER | InterlockSet::DEGRADED,
            refusal: Refusal::Interlocked,
        }
    }

    #[test]
    fn a_refused_arm_names_every_interlock_with_its_mend() {
        let answer = answer();
        let words = in_words(OperatorKind::Arm, answer);
        assert!(words.contains("refused, still Disarmed"), "{words}");
        for told in [Interlock::NoOwner, Interlock::Degraded] {
            let expected = format!("\n  {}: {}\n    {}", told.name(), told.meaning(), told.mend());
            assert!(words.contains(&expected), "{expected} in {words}");
        }
        let low = Fault::BatteryLow;
        let expected = format!("\n  {}: {}\n    {}", low.name(), low.meaning(), low.mend());
        assert!(words.contains(&expected), "{expected} in {words}");
        assert!(!words.contains("NotRealtime"), "a warning refuses nothing: {words}");
        let json = as_json(OperatorKind::Arm, "donkey", answer);
        assert_eq!(json["done"], false);
        let [first, second] = json["interlocks"].as_array().expect("a list").as_slice() else {
            panic!("both interlocks, in {json}");
        };
        assert_eq!((&first["name"], &second["name"]), (&"no-owner".into(), &"degraded".into()));
        assert_eq!(second["mend"], Interlock::Degraded.mend());
        assert_eq!(json["causes"][0]["name"], "BatteryLow");
        assert_eq!(json["causes"][0]["severity"], "stop");
        assert_eq!(json["causes"][1]["severity"], "warning");
    }

    #[test]
    fn every_refusal_says_why_and_only_none_is_done() {
        for refusal in [
            Refusal::NotPermitted,
            Refusal::Interlocked,
            Refusal::Timeout,
            Refusal::WrongMode,
            Refusal::Busy,
        ] {
            let answer = Answer { refusal, ..answer() };
            assert!(!answer.is_done());
            assert!(!in_words(OperatorKind::Reset, answer).contains("done"));
        }
        let answer = Answer { refusal: Refusal::None, mode: Some(Mode::Arming), ..answer() };
        assert!(answer.is_done());
        assert_eq!(in_words(OperatorKind::Arm, answer), "arm: done, now Arming");
    }
}
