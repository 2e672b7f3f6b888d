//! `continuon rlds`: episodes, judged and handed on.
//!
//! Decides which verbs there are; each stands in the file of its name. Tests: tests/rlds.rs.

mod episodes;
mod export;
mod fsck;
mod import;
mod keep;
mod validate;

use crate::exit::{Exit, Failure};
use clap::Subcommand;

/// What to do with episodes.
#[derive(Clone, Debug, Subcommand)]
pub enum RldsCommand {
    /// Write episodes in the formats of other tools: RLDS for TensorFlow, LeRobot, TFRecord and more.
    #[command(after_help = export::EXAMPLES)]
    Export(export::ExportArgs),
    /// Say what is wrong with episodes and where, and put them in order: close what a killed recorder
    /// left, take out what is damaged, derive steps and metadata anew.
    #[command(after_help = fsck::EXAMPLES)]
    Fsck(fsck::FsckArgs),
    /// Take what other recorders wrote as episodes: Donkeycar tubs, LeRobot, TFRecords and more.
    #[command(after_help = import::EXAMPLES)]
    Import(import::ImportArgs),
    /// Mark episodes that are never to be rotated away, or take the mark off.
    #[command(after_help = keep::EXAMPLES)]
    Keep(keep::KeepArgs),
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
        RldsCommand::Export(args) => export::command(args, json),
        RldsCommand::Fsck(args) => fsck::command(args, json),
        RldsCommand::Import(args) => import::command(args, json),
        RldsCommand::Keep(args) => keep::command(args, json),
        RldsCommand::Validate(args) => validate::command(args, json),
    }
}
