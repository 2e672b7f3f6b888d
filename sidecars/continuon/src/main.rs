//! The `continuon` command: see the library of the same name.

#![deny(clippy::print_stdout, clippy::print_stderr)]

use clap::Parser;
use continuon::cli::Cli;
use continuon::exit::{Exit, Failure};
use continuon::output::{print_line, say};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_a_command(&error),
    };
    match continuon::run(&cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            say(&failure);
            if cli.json {
                tell(&failure);
            }
            failure.exit.into()
        }
    }
}

/// Help and version, or arguments that name no command.
fn not_a_command(error: &clap::Error) -> ExitCode {
    // A reader that has gone has read enough.
    error.print().ok();
    if error.exit_code() == 0 {
        return Exit::Ok.into();
    }
    // What was asked for is not known, but whether a program asked is.
    if std::env::args_os().any(|argument| argument == "--json") {
        let words = error.to_string();
        tell(&Failure::misuse(words.trim_start_matches("error: ").trim_end()));
    }
    Exit::Misuse.into()
}

fn tell(failure: &Failure) {
    // The exit code tells it too.
    print_line(failure.as_json()).ok();
}
