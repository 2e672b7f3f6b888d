//! `fast-loop --robot FILE --run-dir DIR`: drives one robot until it is told to end.

#![deny(clippy::print_stdout, clippy::print_stderr)]

use fast_loop::last_words;
use fast_loop::say::say;
use fast_loop::sealed_alloc::SealedAllocator;
use fast_loop::startup::{self, Options};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: SealedAllocator = SealedAllocator;

const HELP: &str = "\
fast-loop: the real-time loop of one robot

Usage: fast-loop --robot FILE|NAME --run-dir DIR

  --robot FILE|NAME  robot file, or the name of a built-in robot (sim-donkey)
  --run-dir DIR      where segments.sock and operator.sock stand

Runs until SIGTERM or SIGINT: then a controlled stop, outputs safe, exit 0.
Exit: 0 ended as told, 2 wrong arguments or robot file, 3 not possible here.

Example:
  fast-loop --robot configs/robots/sim-donkey.json --run-dir runs/mine
";

fn options() -> Result<Option<Options>, String> {
    let (mut robot, mut run_dir) = (None, None);
    let mut arguments = std::env::args_os().skip(1).map(|argument| {
        argument
            .into_string()
            .map_err(|raw| format!("expected UTF-8 text, found `{}`", raw.display()))
    });
    while let Some(name) = arguments.next() {
        let name = name?;
        let mut value = || arguments.next().ok_or(format!("{name}: a value is missing"))?;
        match name.as_str() {
            "--help" | "-h" => return Ok(None),
            "--robot" => robot = Some(value()?),
            "--run-dir" => run_dir = Some(PathBuf::from(value()?)),
            _ => {
                let known = ["--robot", "--run-dir", "--help"];
                let hint = rt_config::nearest(&name, known)
                    .map(|near| format!(" (did you mean {near}?)"))
                    .unwrap_or_default();
                return Err(format!("unknown argument `{name}`{hint}"));
            }
        }
    }
    let robot = robot.ok_or("--robot FILE|NAME is missing")?;
    let run_dir = run_dir.ok_or("--run-dir DIR is missing")?;
    Ok(Some(Options { robot, run_dir }))
}

fn main() -> ExitCode {
    last_words::end_at_a_panic();
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            // A reader that has gone has read enough.
            std::io::stdout().write_all(HELP.as_bytes()).ok();
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            say(format_args!("{why}; see --help"));
            return ExitCode::from(2);
        }
    };
    match startup::run(&options) {
        Ok(ended) => {
            say(format_args!("ended after {} cycles, outputs safe", ended.cycles));
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&error);
            ExitCode::from(error.exit_code())
        }
    }
}
