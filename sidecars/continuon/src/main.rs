//! The `continuon` command: see the library of the same name.

use clap::Parser;
use continuon::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match continuon::run(&cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprintln!("continuon: {failure}");
            if cli.json {
                let told = serde_json::json!({
                    "exit_code": failure.exit.code(),
                    "error": failure.message,
                });
                println!("{told}");
            }
            failure.exit.into()
        }
    }
}
