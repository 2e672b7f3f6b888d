//! Keys of the run's screen: space = e-stop, a = arm, d = disarm, r = reset, q = end the run.
//!
//! Decides only who asks what: each key is the same request over the operator socket that the
//! command of its name makes. An e-stop has a thread of its own, so that it waits neither for the
//! bar nor for another request's answer. Tests: below; on a pseudo-terminal in the tests crate
//! (`teleop`).

use crate::operator::{self, in_words};
use rt_wire::OperatorKind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use terminal::{Act, Goes, Heard, Key, Keys};

/// The line that says so.
pub const HELP: &str = "keys: space e-stop   a arm   d disarm   r reset   q end the run";

/// The keys, for as long as it lives.
#[derive(Debug)]
pub struct RunKeys {
    quits: Receiver<()>,
    answers: Receiver<String>,
    _keys: Keys,
}

/// What a key asks; `None` inside for the end of the run.
fn asks(key: Key) -> Option<Option<OperatorKind>> {
    Some(match key {
        Key::Char(' ') => Some(OperatorKind::Estop),
        Key::Char('a') => Some(OperatorKind::Arm),
        // Caps Lock keeps nobody from a stop.
        Key::Char('d' | 'D' | 'x' | 'X') => Some(OperatorKind::Disarm),
        Key::Char('r') => Some(OperatorKind::Reset),
        Key::Char('q' | '\u{4}') => None,
        Key::Char(_) | Key::Up | Key::Down | Key::Left | Key::Right | Key::Escape => return None,
    })
}

impl RunKeys {
    /// Takes the keys of this terminal, for the run in `run_dir`; nothing where there is none, or
    /// it is not ours now.
    #[must_use]
    pub fn take(run_dir: &Path) -> Option<Self> {
        let keys = Keys::take().ok()?;
        let (tell_quit, quits) = channel();
        let (tell_answer, answers) = channel();
        let ask = |run_dir: PathBuf| {
            move |kind| match operator::ask(&run_dir, kind) {
                Ok(answer) => in_words(kind, answer),
                Err(error) => format!("{}: {error}", kind.name()),
            }
        };
        let estop = asker("estop", ask(run_dir.to_owned()), tell_answer.clone())?;
        let others = asker("requests", ask(run_dir.to_owned()), tell_answer)?;
        let listening = terminal::listen(move |heard| {
            let event = match heard {
                Heard::Key(event) if event.act == Act::Press => event,
                Heard::Key(_) => return Goes::On,
                // SIGHUP comes with it, and ends the run.
                Heard::Closed => return Goes::Away,
            };
            let sent = match asks(event.key) {
                Some(Some(OperatorKind::Estop)) => estop.send(OperatorKind::Estop).is_ok(),
                Some(Some(kind)) => others.send(kind).is_ok(),
                Some(None) => tell_quit.send(()).is_ok(),
                None => true,
            };
            if sent { Goes::On } else { Goes::Away }
        });
        listening.ok()?;
        Some(Self { quits, answers, _keys: keys })
    }

    /// Whether the person has asked to end the run since the last look.
    #[must_use]
    pub fn quit(&self) -> bool {
        self.quits.try_recv().is_ok()
    }

    /// What the loop has answered since the last look.
    pub fn answers(&self) -> impl Iterator<Item = String> {
        self.answers.try_iter()
    }
}

/// A thread that asks the loop for one thing after the other, and tells its answers.
fn asker(
    name: &str,
    ask: impl Fn(OperatorKind) -> String + Send + 'static,
    tell: Sender<String>,
) -> Option<Sender<OperatorKind>> {
    let (wish, wishes) = channel::<OperatorKind>();
    let run = move || {
        let mut next = None;
        while let Some(kind) = next.take().or_else(|| wishes.recv().ok()) {
            let answer = ask(kind);
            // A key that was held asks once: it must not trip a latch that is reset meanwhile.
            next = wishes.try_iter().find(|more| *more != kind);
            if tell.send(answer).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name(name.to_owned()).spawn(run).ok()?;
    Some(wish)
}

#[cfg(test)]
mod tests {
    use super::{HELP, asker, asks};
    use rt_wire::OperatorKind;
    use std::sync::mpsc::channel;
    use std::time::Duration;
    use terminal::Key;

    /// For a hang, not for a speed.
    const HANG: Duration = Duration::from_secs(5);

    #[test]
    fn each_key_of_the_help_line_asks_what_the_line_says() {
        for (key, name, kind) in [
            (' ', "space e-stop", Some(OperatorKind::Estop)),
            ('a', "a arm", Some(OperatorKind::Arm)),
            ('d', "d disarm", Some(OperatorKind::Disarm)),
            ('r', "r reset", Some(OperatorKind::Reset)),
            ('q', "q end the run", None),
        ] {
            assert!(HELP.contains(name), "{name}");
            assert_eq!(asks(Key::Char(key)), Some(kind), "{name}");
        }
        assert_eq!(asks(Key::Char('D')), Some(Some(OperatorKind::Disarm)));
        assert_eq!(asks(Key::Up), None);
        assert_eq!(asks(Key::Char('z')), None);
    }

    #[test]
    fn a_held_key_asks_once_and_no_other_key_is_lost_behind_it() {
        use OperatorKind::{Arm, Disarm};
        let (tell, answers) = channel();
        let (let_on, may_go_on) = channel::<()>();
        let ask = move |kind: OperatorKind| {
            may_go_on.recv().expect("told to go on");
            kind.name().to_owned()
        };
        let wish = asker("test", ask, tell).expect("a thread");
        for kind in [Arm, Arm, Arm, Disarm, Arm] {
            wish.send(kind).expect("it listens");
        }
        for _ in 0..3 {
            let_on.send(()).expect("it waits");
        }
        let answers: Vec<String> = (0..3).map_while(|_| answers.recv_timeout(HANG).ok()).collect();
        assert_eq!(answers, [Arm.name(), Disarm.name(), Arm.name()]);
    }
}
