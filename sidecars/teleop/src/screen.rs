//! What a person sees while they drive: five lines, drawn over themselves.
//!
//! Decides words only. It draws in a thread of its own, because a terminal may stop taking text, and
//! nothing that drives may wait for it. Colours are the terminal's own, and no word depends on them.
//! Tests: below.

use rt_wire::{Fault, FaultSet, InterlockSet, Mode, Severity};
use std::fs::File;
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Lines that are drawn.
const LINES: usize = 5;
/// Wide enough for every line that has a fixed part; longer words are cut.
const WIDTH: usize = 78;
const BAR: usize = 10;
/// A picture is drawn within this, unless the terminal takes no text.
const FINISHED_WITHIN: Duration = Duration::from_millis(200);

/// What the person holds in their hands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hands {
    /// Name of the pad, if there is one.
    pub pad: Option<String>,
    /// Keys are listened to.
    pub keys: bool,
    /// A script plays.
    pub script: bool,
}

/// Everything that is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// Name of the robot.
    pub robot: String,
    /// With what it is driven.
    pub hands: Hands,
    /// Mode of the loop; `None` while there is none.
    pub mode: Option<Mode>,
    /// Who owns the car.
    pub owner: &'static str,
    /// Whether that is us.
    pub ours: bool,
    /// Measured speed.
    pub speed_m_per_s: f32,
    /// The dead-man switch is held.
    pub held: bool,
    /// Steering asked for, in [-1, 1], positive left.
    pub steering: f32,
    /// Throttle asked for, in [-1, 1].
    pub throttle: f32,
    /// Throttle at the end of the stick.
    pub throttle_max: f32,
    /// The throttle stick must come to the middle first.
    pub throttle_waits: bool,
    /// What forbids arming.
    pub interlocks: InterlockSet,
    /// Why it stopped.
    pub causes: FaultSet,
    /// The last thing that happened.
    pub note: String,
}

/// Draws in a thread of its own. Dropped, it leaves the cursor below what it drew.
#[derive(Debug)]
pub(crate) struct Screen {
    /// `None` while it is dropped.
    tell: Option<SyncSender<Status>>,
    done: Receiver<()>,
}

impl Screen {
    /// Begins to draw on `tty`.
    ///
    /// # Errors
    /// No thread can be started.
    pub(crate) fn start(mut tty: File) -> std::io::Result<Self> {
        let (tell, told) = sync_channel::<Status>(1);
        let (say_done, done) = sync_channel(1);
        thread::Builder::new().name("screen".to_owned()).spawn(move || {
            let mut drawn = false;
            while let Ok(status) = told.recv() {
                let back = if drawn { format!("\x1b[{LINES}A") } else { "\x1b[?25l".to_owned() };
                drawn = true;
                let mut text = format!("\r{back}");
                for line in render(&status) {
                    text.push_str(&format!("{line}\x1b[0m\x1b[K\n"));
                }
                if tty.write_all(text.as_bytes()).is_err() {
                    return;
                }
            }
            say_done.send(()).ok();
        })?;
        Ok(Self { tell: Some(tell), done })
    }

    /// Shows this, unless the terminal is still busy with what came before.
    pub(crate) fn show(&self, status: Status) {
        if let Some(tell) = &self.tell {
            // A picture that is left out is made up for by the next.
            drop(tell.try_send(status));
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The last picture is finished before the terminal is given back; a terminal that takes no
        // text is not waited for.
        self.tell = None;
        self.done.recv_timeout(FINISHED_WITHIN).ok();
    }
}

/// The lines, without their ends.
fn render(status: &Status) -> [String; LINES] {
    let mode = status.mode.map_or("no loop", Mode::name);
    let colour = match status.mode {
        Some(Mode::Active) => "\x1b[1;32m",
        Some(Mode::EStopLatched | Mode::Fault) => "\x1b[1;31m",
        Some(Mode::SafeStop | Mode::Arming) | None => "\x1b[1;35m",
        Some(Mode::Boot | Mode::SelfTest | Mode::Disarmed) => "\x1b[1m",
    };
    let owner = if status.ours { "you" } else { status.owner };
    let held = if status.held { "\x1b[1;32mHELD\x1b[0m    " } else { "\x1b[1mlet go\x1b[0m  " };
    let throttle_part =
        if status.throttle_max > 0.0 { status.throttle / status.throttle_max } else { 0.0 };
    [
        format!("\x1b[1mteleop\x1b[0m  {}  {}", status.robot, cut(&hands(&status.hands), 48)),
        format!(
            "{colour}{mode:<13}\x1b[0m drives {owner:<10} {:5.1} m/s  dead-man {held}",
            status.speed_m_per_s
        ),
        format!(
            "left {} right  {:+.2}    throttle {} {:+.2} of {:.2}",
            centred(-status.steering),
            status.steering,
            centred(throttle_part),
            status.throttle,
            status.throttle_max,
        ),
        cut(&why(status), WIDTH),
        help(&status.hands),
    ]
}

fn hands(hands: &Hands) -> String {
    let mut words = Vec::new();
    if let Some(name) = &hands.pad {
        words.push(format!("pad: {name}"));
    } else if !hands.script {
        words.push("no pad".to_owned());
    }
    if hands.keys {
        words.push("keys".to_owned());
    }
    if hands.script {
        words.push("a script".to_owned());
    }
    words.join(", ")
}

/// A bar around its middle: -1 is all to the left.
fn centred(value: f32) -> String {
    let reach = (value.abs().min(1.0) * BAR as f32 / 2.0).round() as usize;
    let half = BAR / 2;
    let (empty, full) = ("·".repeat(half - reach), "█".repeat(reach));
    match value < 0.0 {
        true => format!("{empty}{full}│{}", "·".repeat(half)),
        false => format!("{}│{full}{empty}", "·".repeat(half)),
    }
}

/// Why the car does not move, or the last thing that happened.
fn why(status: &Status) -> String {
    let stops = |fault: &rt_wire::Fault| !matches!(fault.severity(), Severity::Warning);
    // Letting go releases the car as well: to the person it is the hand that explains the stop.
    let let_go = status.causes.contains(Fault::DeadManReleased).then_some(Fault::DeadManReleased);
    let stopped = let_go.or_else(|| status.causes.faults().find(stops));
    let note = &status.note;
    match status.mode {
        None => "no loop: waiting for one".to_owned(),
        Some(Mode::EStopLatched) => {
            let reset = if status.hands.keys { "r resets it" } else { "continuon reset resets it" };
            format!("e-stop: {reset}; the car moves only once armed")
        }
        Some(Mode::Fault) => told("fault", stopped.map(|fault| (fault.name(), fault.mend()))),
        Some(Mode::SafeStop) => {
            told("stopping", stopped.map(|fault| (fault.name(), fault.meaning())))
        }
        Some(Mode::Disarmed) if !note.is_empty() => note.clone(),
        Some(Mode::Disarmed) => match stopped {
            Some(fault) => told("stopped", Some((fault.name(), fault.mend()))),
            None if status.held => match status.interlocks.interlocks().next() {
                Some(lock) => told("cannot arm", Some((lock.name(), lock.mend()))),
                None => "ready: arm with the pad's button, or key a".to_owned(),
            },
            None => "hold the dead-man switch (a pad's button, or key h), then arm".to_owned(),
        },
        Some(Mode::Active) if status.throttle_waits => {
            "throttle was held before the car was yours: let it go once, then it counts".to_owned()
        }
        Some(Mode::Boot | Mode::SelfTest | Mode::Arming | Mode::Active) => note.clone(),
    }
}

fn told(what: &str, why: Option<(&str, &str)>) -> String {
    why.map_or_else(|| what.to_owned(), |(name, words)| format!("{what}: {name}: {words}"))
}

fn help(hands: &Hands) -> String {
    match hands.keys {
        true => {
            "\x1b[1;31mspace e-stop\x1b[0m  a arm  arrows drive  h hold  d disarm  r reset  q quit"
                .to_owned()
        }
        false => String::new(),
    }
}

/// Cut to `width`, and without control characters: a gamepad's maker names it, or whoever sits behind
/// a radio, and a name must not be able to draw.
fn cut(text: &str, width: usize) -> String {
    let text: String = text.chars().filter(|character| !character.is_control()).collect();
    if text.chars().count() <= width {
        return text;
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(mode: Mode) -> Status {
        Status {
            robot: "sim-donkey".to_owned(),
            hands: Hands { keys: true, ..Hands::default() },
            mode: Some(mode),
            owner: "nobody",
            throttle_max: 0.3,
            ..Status::default()
        }
    }

    /// What is seen: escape sequences taken out.
    fn seen(line: &str) -> String {
        let mut out = String::new();
        let mut parts = line.split("\x1b[");
        out.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let end = part.find(|c: char| c.is_ascii_alphabetic()).map_or(part.len(), |at| at + 1);
            out.push_str(&part[end..]);
        }
        out
    }

    #[test]
    fn every_line_fits_eighty_columns_in_every_mode_and_with_the_longest_words() {
        for mode in [Mode::Boot, Mode::Disarmed, Mode::Active, Mode::SafeStop, Mode::EStopLatched] {
            let mut status = status(mode);
            status.hands.pad = Some("A very long name of a gamepad ".repeat(4));
            status.causes = FaultSet(u64::MAX);
            status.interlocks = InterlockSet(u32::MAX);
            status.held = true;
            for line in render(&status) {
                let seen = seen(&line);
                assert!(seen.chars().count() <= 80, "{}: {seen}", seen.chars().count());
                assert!(!line.contains('\n'), "{line}");
            }
        }
    }

    #[test]
    fn a_stop_is_told_with_its_cause_and_an_arming_that_is_refused_with_its_reason() {
        let mut status = status(Mode::Disarmed);
        status.causes = FaultSet::of(Fault::DeadManReleased);
        assert!(render(&status)[3].contains("DeadManReleased"));
        status.causes = FaultSet::EMPTY;
        status.held = true;
        status.interlocks = InterlockSet::LOG_MISSING;
        assert!(render(&status)[3].contains("log-missing"), "{}", render(&status)[3]);
    }

    #[test]
    fn name_of_a_pad_cannot_draw() {
        let mut status = status(Mode::Disarmed);
        status.hands.pad = Some("pad\x1b[2J\r\n\x07".to_owned());
        let line = &render(&status)[0];
        assert!(line.contains("pad: pad[2J, keys"), "{line:?}");
    }

    #[test]
    fn left_is_drawn_to_the_left() {
        assert_eq!(centred(-1.0), "█████│·····");
        assert_eq!(centred(0.4), "·····│██···");
        let mut status = status(Mode::Active);
        status.steering = 1.0;
        assert!(seen(&render(&status)[2]).starts_with("left █████│·····"));
    }
}
