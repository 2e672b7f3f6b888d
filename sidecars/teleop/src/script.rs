//! A script as a driver's hands, so that a drive can be repeated and tested everywhere.
//!
//! ```text
//! # at_s  what       value          at_s: seconds since the car was first seen Disarmed
//! 0.0     dead-man   on
//! 0.2     arm        on             `arm`, `disarm`, `estop`, `dead-man`, `pad`: on | off
//! 0.4     arm        off            `pad off`: unplugged
//! 0.4     await      Active         the clock stands still until the loop is in this mode
//! 0.5     throttle   0.5            `throttle`, `steering`: a stick, -1 to 1
//! 3.0     dead-man   off
//! 4.0     end                       teleop ends; without it, it goes on until it is told to
//! ```
//!
//! Times never fall. Tests: below.

use crate::Intent;
use rt_wire::{Mode, MonoNs};
use std::fmt;

/// One line.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Line {
    at_ns: u64,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Steering(f32),
    Throttle(f32),
    DeadMan(bool),
    Arm(bool),
    Disarm(bool),
    Estop(bool),
    Pad(bool),
    Await(Mode),
    End,
}

/// What a line may say, in the order of the help.
const WORDS: [&str; 9] =
    ["steering", "throttle", "dead-man", "arm", "disarm", "estop", "pad", "await", "end"];
const MODES: [Mode; 8] = [
    Mode::Boot,
    Mode::SelfTest,
    Mode::Disarmed,
    Mode::Arming,
    Mode::Active,
    Mode::SafeStop,
    Mode::EStopLatched,
    Mode::Fault,
];

/// A line that means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// Counted from 1.
    pub line: usize,
    /// What was expected and found.
    pub problem: String,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

/// A script and how far it has come.
#[derive(Clone, Debug)]
pub struct Script {
    lines: Vec<Line>,
    next: usize,
    /// When its clock read 0; it is moved on while the script waits. `None`: not begun.
    zero_at: Option<MonoNs>,
    waits_since: Option<MonoNs>,
    intent: Intent,
    plugged: bool,
    ended: bool,
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// The first line that means nothing.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let mut lines: Vec<Line> = Vec::new();
        for (index, text) in text.lines().enumerate() {
            let wrong = |problem| ScriptError { line: index + 1, problem };
            let words = text.split('#').next().unwrap_or_default();
            let Some(line) = parse_line(words).map_err(wrong)? else { continue };
            if lines.last().is_some_and(|before| line.at_ns < before.at_ns) {
                return Err(wrong("expected a time not before that of the line above".to_owned()));
            }
            lines.push(line);
        }
        Ok(Self {
            lines,
            next: 0,
            zero_at: None,
            waits_since: None,
            intent: Intent::default(),
            plugged: true,
            ended: false,
        })
    }

    /// What the script wants at `now`, while the loop is in `mode`. Says whether a line began an
    /// e-stop.
    pub fn play(&mut self, now: MonoNs, mode: Option<Mode>) -> (Option<Intent>, bool) {
        if self.zero_at.is_none() && mode == Some(Mode::Disarmed) {
            self.zero_at = Some(now);
        }
        let mut estop_begins = false;
        while let Some(line) = self.due(now) {
            if let What::Await(awaited) = line.what {
                if mode != Some(awaited) {
                    self.waits_since.get_or_insert(now);
                    break;
                }
                let waited_ns = self.waits_since.take().map_or(0, |since| now.since(since));
                self.zero_at = self.zero_at.map(|zero_at| zero_at.plus(waited_ns));
            }
            estop_begins |= line.what == What::Estop(true);
            self.take(line.what);
            self.next += 1;
        }
        let intent = Intent { seen_at: now, ..self.intent };
        (self.plugged.then_some(intent), estop_begins)
    }

    /// Whether its last line was `end` and has come.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    fn due(&self, now: MonoNs) -> Option<Line> {
        let (line, zero_at) = (*self.lines.get(self.next)?, self.zero_at?);
        (now.since(zero_at) >= line.at_ns).then_some(line)
    }

    fn take(&mut self, what: What) {
        let intent = &mut self.intent;
        match what {
            What::Steering(value) => intent.steering = value,
            What::Throttle(value) => intent.throttle = value,
            What::DeadMan(on) => intent.dead_man = on,
            What::Arm(on) => intent.arm = on,
            What::Disarm(on) => intent.disarm = on,
            What::Estop(on) => intent.estop = on,
            What::Pad(on) => self.plugged = on,
            What::Await(_) => {}
            What::End => self.ended = true,
        }
    }
}

fn parse_line(text: &str) -> Result<Option<Line>, String> {
    let mut words = text.split_whitespace();
    let Some(at) = words.next() else { return Ok(None) };
    let at_s = at.parse::<f64>().ok().filter(|at_s| (0.0..=86_400.0).contains(at_s));
    let at_s =
        at_s.ok_or_else(|| format!("expected a time in seconds from 0 to 86400, found `{at}`"))?;
    let word = words.next().unwrap_or_default();
    let value = words.next();
    if let Some(more) = words.next() {
        return Err(format!("expected the end of the line, found `{more}`"));
    }
    let what = match word {
        "steering" => What::Steering(stick(value)?),
        "throttle" => What::Throttle(stick(value)?),
        "dead-man" => What::DeadMan(on(value)?),
        "arm" => What::Arm(on(value)?),
        "disarm" => What::Disarm(on(value)?),
        "estop" => What::Estop(on(value)?),
        "pad" => What::Pad(on(value)?),
        "await" => What::Await(mode(value)?),
        "end" if value.is_none() => What::End,
        "end" => return Err("expected nothing after `end`".to_owned()),
        _ => {
            let nearest = rt_config::nearest(word, WORDS)
                .map_or_else(String::new, |name| format!("; nearest valid name: {name}"));
            return Err(format!("expected one of {}, found `{word}`{nearest}", WORDS.join(", ")));
        }
    };
    Ok(Some(Line { at_ns: (at_s * 1e9).round() as u64, what }))
}

fn stick(value: Option<&str>) -> Result<f32, String> {
    let place = value.and_then(|text| text.parse::<f32>().ok());
    let place = place.filter(|place| (-1.0..=1.0).contains(place));
    place.ok_or_else(|| format!("expected a stick from -1 to 1, found `{}`", value.unwrap_or("")))
}

fn on(value: Option<&str>) -> Result<bool, String> {
    match value {
        Some("on") => Ok(true),
        Some("off") => Ok(false),
        other => Err(format!("expected `on` or `off`, found `{}`", other.unwrap_or(""))),
    }
}

fn mode(value: Option<&str>) -> Result<Mode, String> {
    let found = value.and_then(|name| MODES.into_iter().find(|mode| mode.name() == name));
    found.ok_or_else(|| {
        let names = MODES.map(Mode::name).join(", ");
        format!("expected one of {names}, found `{}`", value.unwrap_or(""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const START: MonoNs = MonoNs(7 * SECOND);

    fn script(text: &str) -> Script {
        Script::parse(text).expect("a good script")
    }

    #[test]
    fn clock_begins_with_the_first_disarmed_and_lines_take_effect_at_their_time() {
        let mut script = script("0 dead-man on\n1.5 throttle 0.5 # half\n\n2 pad off\n3 end\n");
        let (before, _) = script.play(START, Some(Mode::SelfTest));
        assert!(before.is_some_and(|intent| !intent.dead_man));
        let first = script.play(START, Some(Mode::Disarmed)).0.expect("plugged in");
        assert!(first.dead_man && first.throttle == 0.0);
        let at = |tenths: u64| START.plus(tenths * SECOND / 10);
        assert_eq!(script.play(at(15), Some(Mode::Active)).0.expect("there").throttle, 0.5);
        assert_eq!(script.play(at(20), Some(Mode::Active)), (None, false));
        assert!(!script.has_ended());
        script.play(at(30), Some(Mode::Active));
        assert!(script.has_ended());
    }

    #[test]
    fn clock_stands_still_while_a_mode_is_awaited() {
        let mut script = script("0 await Active\n1 throttle 1\n");
        script.play(START, Some(Mode::Disarmed));
        script.play(START.plus(5 * SECOND), Some(Mode::Arming));
        script.play(START.plus(6 * SECOND), Some(Mode::Active));
        let before = script.play(START.plus(7 * SECOND - 1), Some(Mode::Active)).0;
        assert_eq!(before.expect("there").throttle, 0.0);
        let then = script.play(START.plus(7 * SECOND), Some(Mode::Active)).0;
        assert_eq!(then.expect("there").throttle, 1.0);
    }

    #[test]
    fn estop_of_a_script_begins_once() {
        let mut script = script("0 estop on\n1 estop off\n");
        let (intent, begins) = script.play(START, Some(Mode::Disarmed));
        assert!(begins && intent.expect("there").estop);
        assert!(!script.play(START.plus(1), Some(Mode::Disarmed)).1);
        assert!(!script.play(START.plus(SECOND), Some(Mode::Disarmed)).0.expect("there").estop);
    }

    #[test]
    fn bad_lines_are_refused_with_their_number_and_what_would_be_right() {
        for (text, line, told) in [
            ("0 throtle 1", 1, "nearest valid name: throttle"),
            ("0 arm on\nx arm on", 2, "a time in seconds"),
            ("0 throttle 1.1", 1, "a stick from -1 to 1, found `1.1`"),
            ("0 throttle nan", 1, "a stick from -1 to 1"),
            ("0 arm", 1, "`on` or `off`"),
            ("0 await active", 1, "found `active`"),
            ("1 arm on\n0.5 arm off", 2, "not before"),
            ("0 end now", 1, "nothing after `end`"),
            ("0 arm on off", 1, "the end of the line"),
            ("-1 arm on", 1, "from 0 to 86400"),
        ] {
            let error = Script::parse(text).expect_err(text);
            assert_eq!(error.line, line, "{text}");
            assert!(error.to_string().contains(told), "{text}: {error}");
        }
    }
}
