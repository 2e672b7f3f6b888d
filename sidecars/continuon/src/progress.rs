//! What a person sees while a run goes on: a line that moves on a terminal, plain lines elsewhere.
//! All of it on stderr, so that stdout is the report's alone. Shown by: tests/rlds.rs.

use crate::output::say;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// The moving line.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins with a spinner.
    #[must_use]
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            // Cut at the terminal's edge: what wraps cannot be taken back without what stands below.
            style(&bar, "{spinner} {wide_msg}");
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar }
    }

    /// Says what is being done.
    pub fn stage(&self, what: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(what.to_owned()),
            None => say(what),
        }
    }

    /// Says what is being done on a terminal alone: where it mostly takes no time.
    pub fn working(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
        }
    }

    /// Says something that stays.
    pub fn note(&self, words: &str) {
        match &self.bar {
            Some(bar) => bar.println(format!("continuon: {words}")),
            None => say(words),
        }
    }

    /// Says something that stays, and only where the line moves.
    pub fn help(&self, words: &str) {
        if let Some(bar) = &self.bar {
            bar.println(words);
        }
    }

    /// Leaves the terminal to another process: nothing moves any more.
    pub fn yield_terminal(&self) {
        if let Some(bar) = &self.bar {
            bar.disable_steady_tick();
            bar.finish_and_clear();
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
    }

    /// Shows a bar for the drive.
    pub fn drive(&self, seconds: u32) {
        let Some(bar) = &self.bar else {
            say(format_args!("driving for {seconds} s"));
            return;
        };
        bar.set_length(u64::from(seconds) * 10);
        style(bar, "{bar:30.cyan/dim} {wide_msg}");
    }

    /// Moves the bar.
    pub fn driven(&self, driven_s: f64, what: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "tenths of a run's seconds, for a bar"
            )]
            bar.set_position((driven_s * 10.0) as u64);
            bar.set_message(what());
        }
    }

    /// Lets `print` write to the terminal: the line is away meanwhile, and comes back below.
    pub fn aside<R>(&self, print: impl FnOnce() -> R) -> R {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Takes the line away, once: what was printed below it since then stays.
    pub fn done(&self) {
        if let Some(bar) = self.bar.as_ref().filter(|bar| !bar.is_finished()) {
            bar.finish_and_clear();
        }
    }
}

fn style(bar: &ProgressBar, template: &str) {
    // The template is a constant; should it ever be wrong, the plain bar does as well.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // What ends by an error is told on a line of its own.
        self.done();
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}
