//! What the person holds in their hands, opened and brought together.
//!
//! Decides which sources there are: a script alone; or the terminal's keys and a gamepad. Nothing to
//! drive with is said at once, with why. Tests: in the tests crate (`teleop`).

use crate::pad_reader::{self, PadSeen};
use crate::screen::Hands;
use crate::session::Input;
use crate::{Does, EstopLine, Intent, Keyboard, Script, meaning};
use rt_config::{Robot, Teleop};
use rt_wire::{Mode, MonoNs, OperatorKind};
use sidecar::{Failure, mono_now};
use std::fs::File;
use std::path::Path;
use std::time::Duration;
use terminal::{Act, Goes, Heard, Keys};
use tokio::sync::{mpsc, watch};

/// Where the kernel shows gamepads.
const INPUT_DEVICES: &str = "/dev/input";
/// How long the loop may take to answer a reset.
const PATIENCE: Duration = Duration::from_secs(2);

/// The terminal's keys.
struct KeySource {
    keys: Keys,
    heard: mpsc::UnboundedReceiver<(Heard, MonoNs)>,
    keyboard: Keyboard,
}

/// Everything that a person drives with.
pub(crate) struct Sources {
    keys: Option<KeySource>,
    pad: Option<watch::Receiver<PadSeen>>,
    script: Option<Script>,
    estop: EstopLine,
    /// What happened last, and where it is told from.
    note: String,
    notes: (mpsc::UnboundedSender<String>, mpsc::UnboundedReceiver<String>),
    pad_said: Urgent,
}

/// What of a pad's news cannot wait for the grid: dead-man switch, disarm, e-stop, and the pad itself.
type Urgent = Option<(bool, bool, bool)>;

fn urgent(intent: Option<&Intent>) -> Urgent {
    intent.map(|intent| (intent.dead_man, intent.disarm, intent.estop))
}

impl Sources {
    /// Opens what `input` names, or plays `script`.
    ///
    /// # Errors
    /// There is nothing to drive with, and why.
    pub(crate) fn open(
        input: Input,
        script: Option<Script>,
        robot: &Robot,
        estop: &EstopLine,
    ) -> Result<Self, Failure> {
        let teleop = &robot.file().teleop;
        let mut sources = Self {
            keys: None,
            pad: None,
            script,
            estop: estop.clone(),
            note: String::new(),
            notes: mpsc::unbounded_channel(),
            pad_said: None,
        };
        if sources.script.is_some() {
            return Ok(sources);
        }
        let (wants_keys, wants_pad) = (input != Input::Pad, input != Input::Keyboard);
        let no_keys = if wants_keys { sources.take_keys(teleop, estop).err() } else { None };
        if wants_pad {
            let started = pad_reader::start(&teleop.pad, estop.clone());
            sources.pad =
                Some(started.map_err(|error| Failure::not_possible(format!("pad: {error}")))?);
        }
        match (input, no_keys) {
            (Input::Keyboard, Some(why)) => Err(Failure::not_possible(format!("no keys: {why}"))),
            (Input::Auto, Some(why)) if !pad_reader::is_there(&teleop.pad) => {
                Err(Failure::not_possible(format!(
                    "nothing to drive with: {why}, and no gamepad with the buttons of \
                     `teleop.pad` can be read in {INPUT_DEVICES} (start it from a terminal, plug a \
                     gamepad in, or give --script FILE)"
                )))
            }
            (Input::Pad, _) if !Path::new(INPUT_DEVICES).exists() => Err(Failure::not_possible(
                format!("{INPUT_DEVICES}: this system has no input devices"),
            )),
            _ => Ok(sources),
        }
    }

    fn take_keys(&mut self, teleop: &Teleop, estop: &EstopLine) -> Result<(), String> {
        let keys = Keys::take().map_err(|why| why.to_string())?;
        let (tell, heard) = mpsc::unbounded_channel();
        let estop = estop.clone();
        let listening = terminal::listen(move |heard| {
            // First of all, and in this thread: an e-stop waits for nobody who reads the others.
            if let Heard::Key(event) = heard
                && event.act == Act::Press
                && meaning(event.key) == Some(Does::Estop)
            {
                estop.pull();
            }
            match tell.send((heard, mono_now())) {
                Ok(()) => Goes::On,
                Err(_) => Goes::Away,
            }
        });
        listening.map_err(|error| format!("no thread for the keys: {error}"))?;
        self.keys = Some(KeySource { keys, heard, keyboard: Keyboard::new(teleop) });
        Ok(())
    }

    /// The terminal to draw on, if its keys are ours.
    pub(crate) fn tty(&self) -> Option<File> {
        self.keys.as_ref().and_then(|source| source.keys.tty().ok())
    }

    /// Returns at news that cannot wait; says whether the person wants to leave.
    pub(crate) async fn news(&mut self) -> bool {
        loop {
            let key = async {
                match &mut self.keys {
                    Some(source) => source.heard.recv().await,
                    None => std::future::pending().await,
                }
            };
            let pad = async {
                match &mut self.pad {
                    Some(pad) => pad.changed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                heard = key => return self.hear(heard),
                changed = pad => {
                    if changed.is_err() {
                        // Its thread has ended: the pad is gone.
                        self.pad = None;
                        return false;
                    }
                    if self.pad_has_urgent_news() {
                        return false;
                    }
                }
                Some(note) = self.notes.1.recv() => self.note = note,
            }
        }
    }

    fn pad_has_urgent_news(&mut self) -> bool {
        let Some(pad) = &mut self.pad else { return false };
        let seen = pad.borrow_and_update();
        let said = urgent(seen.intent.as_ref());
        let is_news = said != self.pad_said;
        self.pad_said = said;
        is_news
    }

    fn hear(&mut self, heard: Option<(Heard, MonoNs)>) -> bool {
        // Without its thread the terminal is as good as closed. It has no more news: asked again, it
        // would answer at once, and our command slot would never rest.
        let Some((Heard::Key(event), at)) = heard else {
            self.keys = None;
            return true;
        };
        if let Some(source) = &mut self.keys {
            source.keyboard.key(event, at);
        }
        match meaning(event.key) {
            Some(Does::Quit) => return true,
            Some(Does::Reset) if event.act == Act::Press => self.reset(),
            _ => {}
        }
        false
    }

    /// Asks for a reset; the answer comes as a note.
    fn reset(&self) {
        let tell = self.notes.0.clone();
        let run_dir = self.estop.run_dir().to_owned();
        tokio::task::spawn_blocking(move || {
            let note = match rt_shm::operator::request(&run_dir, OperatorKind::Reset, PATIENCE) {
                Ok(reply) if reply.accepted => "reset: done".to_owned(),
                Ok(reply) => format!("reset: refused: {}", reply.refusal.name()),
                Err(error) => format!("reset: {error}"),
            };
            // Nobody waits for it any more if this fails.
            tell.send(note).ok();
        });
    }

    /// What the person wants at `now`.
    pub(crate) fn intent(&mut self, now: MonoNs, mode: Option<Mode>) -> Option<Intent> {
        if let Some(script) = &mut self.script {
            let (intent, estop_begins) = script.play(now, mode);
            if estop_begins {
                self.estop.pull();
            }
            return intent;
        }
        let pad = self.pad.as_ref().and_then(|pad| pad.borrow().intent);
        let keys = self.keys.as_mut().map(|source| source.keyboard.intent(now));
        Intent::of(pad, keys)
    }

    /// Whether the script has come to its end.
    pub(crate) fn have_ended(&self) -> bool {
        self.script.as_ref().is_some_and(Script::has_ended)
    }

    /// For the screen.
    pub(crate) fn hands(&self) -> Hands {
        Hands {
            pad: self.pad.as_ref().and_then(|pad| pad.borrow().name.clone()),
            keys: self.keys.is_some(),
            script: self.script.is_some(),
        }
    }

    /// Returns once the person wants to leave; what else they do meanwhile is nobody's command.
    pub(crate) async fn left(&mut self) {
        while !self.news().await {}
    }

    /// The last thing that happened.
    pub(crate) fn note(&self) -> &str {
        &self.note
    }

    /// It has been read.
    pub(crate) fn forget_note(&mut self) {
        self.note.clear();
    }
}
