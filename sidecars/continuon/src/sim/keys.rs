//! Keys of the run's screen: space = e-stop, a = arm, d = disarm, r = reset, q = end the run.
//!
//! Decides only who asks what, and in which order: each key is the same request over the operator
//! socket that the command of its name makes. E-stop and disarm have a thread each, so that they wait
//! neither for the bar nor for another request's answer; whatever leads to motion and was not asked
//! yet is forgotten by a stop, and an arm that a stop has overtaken is taken back. Tests: below; on
//! a pseudo-terminal in the tests crate (`teleop`).

use crate::operator::{self, in_words};
use rt_wire::OperatorKind;
use std::collections::VecDeque;
use std::path::Path;
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
        // Ctrl-D, and Ctrl-\, which is no signal while the keys are ours.
        Key::Char('q' | '\u{4}' | '\u{1c}') => None,
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
        let run_dir = run_dir.to_owned();
        let ask = move |kind| match operator::ask(&run_dir, kind) {
            Ok(answer) => in_words(kind, answer),
            Err(error) => format!("{}: {error}", kind.name()),
        };
        let askers = Askers::start(ask, &tell_answer)?;
        let listening = terminal::listen(move |heard| {
            let event = match heard {
                Heard::Key(event) if event.act == Act::Press => event,
                Heard::Key(_) => return Goes::On,
                // SIGHUP comes with it, and ends the run.
                Heard::Closed => return Goes::Away,
            };
            let sent = match asks(event.key) {
                Some(Some(kind)) => askers.ask(kind),
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

/// What a thread that asks is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Ask(OperatorKind),
    /// A stop is asked, elsewhere.
    Stopped,
}

/// The threads that ask.
struct Askers {
    estop: Sender<Wish>,
    disarm: Sender<Wish>,
    motion: Sender<Wish>,
}

impl Askers {
    fn start(
        ask: impl Fn(OperatorKind) -> String + Clone + Send + 'static,
        tell: &Sender<String>,
    ) -> Option<Self> {
        Some(Self {
            estop: asker("estop", ask.clone(), tell.clone())?,
            disarm: asker("disarm", ask.clone(), tell.clone())?,
            motion: asker("requests", ask, tell.clone())?,
        })
    }

    /// Has `kind` asked; never waits. False where nobody is left who could.
    fn ask(&self, kind: OperatorKind) -> bool {
        let stop = match kind {
            OperatorKind::Estop => &self.estop,
            OperatorKind::Disarm => &self.disarm,
            _ => return self.motion.send(Wish::Ask(kind)).is_ok(),
        };
        // The stop first. Without the other thread nothing leads to motion.
        let sent = stop.send(Wish::Ask(kind)).is_ok();
        self.motion.send(Wish::Stopped).ok();
        sent
    }
}

/// A thread that asks the loop for one thing after the other, and tells its answers.
fn asker(
    name: &str,
    ask: impl Fn(OperatorKind) -> String + Send + 'static,
    tell: Sender<String>,
) -> Option<Sender<Wish>> {
    let (wish, wishes) = channel();
    let run = move || {
        let mut queue = VecDeque::new();
        loop {
            take_in(&wishes, &mut queue);
            let Some(kind) = queue.pop_front() else {
                match wishes.recv() {
                    Ok(Wish::Ask(kind)) => queue.push_back(kind),
                    Ok(Wish::Stopped) => {}
                    Err(_) => return,
                }
                continue;
            };
            let mut told = tell.send(ask(kind));
            let stopped = take_in(&wishes, &mut queue);
            // A key that was held asks once: it must not trip a latch that is reset meanwhile.
            while !stopped && queue.front() == Some(&kind) {
                queue.pop_front();
            }
            if stopped && kind == OperatorKind::Arm {
                // The loop may have heard the stop before the arm, whichever key came first.
                told = tell.send(ask(OperatorKind::Disarm));
            }
            if told.is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name(name.to_owned()).spawn(run).ok()?;
    Some(wish)
}

/// Takes in what was wished meanwhile; a stop forgets what was wished before it. Says whether there
/// was one.
fn take_in(wishes: &Receiver<Wish>, queue: &mut VecDeque<OperatorKind>) -> bool {
    let mut stopped = false;
    for wish in wishes.try_iter() {
        match wish {
            Wish::Ask(kind) => queue.push_back(kind),
            Wish::Stopped => {
                queue.clear();
                stopped = true;
            }
        }
    }
    stopped
}

#[cfg(test)]
mod tests {
    use super::{Askers, HELP, Wish, asker, asks};
    use rt_wire::OperatorKind;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use terminal::Key;

    /// For a hang, not for a speed.
    const HANG: Duration = Duration::from_secs(5);

    fn heard(answers: &Receiver<String>, count: usize) -> Vec<String> {
        (0..count).map_while(|_| answers.recv_timeout(HANG).ok()).collect()
    }

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
        use OperatorKind::{Arm, Reset};
        let (tell, answers) = channel();
        let (let_on, may_go_on) = channel::<()>();
        let ask = move |kind: OperatorKind| {
            may_go_on.recv().expect("told to go on");
            kind.name().to_owned()
        };
        let wish = asker("test", ask, tell).expect("a thread");
        for kind in [Arm, Arm, Arm, Reset, Arm] {
            wish.send(Wish::Ask(kind)).expect("it listens");
        }
        for _ in 0..3 {
            let_on.send(()).expect("it waits");
        }
        assert_eq!(heard(&answers, 3), [Arm.name(), Reset.name(), Arm.name()]);
    }

    /// Askers of a loop that does not answer an arm before it is let; what it is asked, and what it
    /// answers.
    fn slow_loop() -> (Askers, Sender<()>, Receiver<OperatorKind>, Receiver<String>) {
        let (tell, answers) = channel();
        let (tell_asked, asked) = channel();
        let (let_on, may_go_on) = channel::<()>();
        let may_go_on = Arc::new(Mutex::new(may_go_on));
        let ask = move |kind: OperatorKind| {
            tell_asked.send(kind).expect("the test listens");
            if kind == OperatorKind::Arm {
                may_go_on.lock().expect("one at a time").recv().expect("told to go on");
            }
            kind.name().to_owned()
        };
        (Askers::start(ask, &tell).expect("threads"), let_on, asked, answers)
    }

    #[test]
    fn a_stop_waits_for_no_arm_that_the_loop_has_not_answered() {
        use OperatorKind::{Arm, Disarm, Estop};
        for stop in [Disarm, Estop] {
            let (askers, let_on, asked, answers) = slow_loop();
            assert!(askers.ask(Arm));
            assert_eq!(asked.recv_timeout(HANG), Ok(Arm));
            assert!(askers.ask(stop));
            assert_eq!(heard(&answers, 1), [stop.name()], "while the arm still waits");
            let_on.send(()).expect("it waits");
        }
    }

    #[test]
    fn a_stop_forgets_what_was_to_lead_to_motion_and_takes_an_overtaken_arm_back() {
        use OperatorKind::{Arm, Disarm, Reset};
        let (askers, let_on, asked, answers) = slow_loop();
        assert!(askers.ask(Arm));
        assert_eq!(asked.recv_timeout(HANG), Ok(Arm));
        assert!(askers.ask(Reset) && askers.ask(Disarm));
        assert_eq!(heard(&answers, 1), [Disarm.name()]);
        let_on.send(()).expect("it waits");
        assert_eq!(heard(&answers, 2), [Arm.name(), Disarm.name()]);
        // What is wished after the stop counts again, and nothing of before it comes.
        let_on.send(()).expect("it waits");
        assert!(askers.ask(Arm));
        assert_eq!(heard(&answers, 1), [Arm.name()]);
    }
}
