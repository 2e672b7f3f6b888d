//! `continuon rlds`: episodes, judged and handed on.
//!
//! Decides which verbs there are; each stands in the file of its name. Tests: tests/rlds.rs.

mod episodes;
mod validate;

use crate::exit::{Exit, Failure};
use clap::Subcommand;

/// What to do with episodes.
#[derive(Clone, Debug, Subcommand)]
pub enum RldsCommand {
    /// Say whether episodes are what the RLDS contract wants: one line a fault, with file, line, step
    /// and field.
    #[command(after_help = validate::EXAMPLES)]
    Validate(validate::ValidateArgs),
}

/// Runs one of them.
///
/// # Errors
/// What the verb says.
pub fn command(command: &RldsCommand, json: bool) -> Result<Exit, Failure> {
    match command {
        RldsCommand::Validate(args) => validate::command(args, json),
    }
}
