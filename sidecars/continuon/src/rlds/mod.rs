//! `continuon rlds`: episodes, judged and handed on.
//!
//! Decides which verbs there are; each stands in the file of its name. Tests: tests/rlds.rs.

mod bins;
mod episodes;
mod export;
mod facts;
mod fsck;
mod import;
mod info;
mod keep;
mod ls;
mod play;
mod plot;
mod show;
mod strip;
mod survey;
mod thumbnail;
mod validate;
mod words;

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
    /// What is in an episode: totals, rates, how true its clock is, what is lost, modes and causes.
    #[command(after_help = info::EXAMPLES)]
    Info(info::InfoArgs),
    /// Episodes, a line each, newest last.
    #[command(after_help = ls::EXAMPLES)]
    Ls(ls::LsArgs),
    /// Publish an episode's rings again, in a folder of its own, so that sidecars can be developed
    /// without a car.
    #[command(after_help = play::EXAMPLES)]
    Play(play::PlayArgs),
    /// A drive on one page for a browser: steering, throttle, speed, modes, causes, timing, pictures.
    #[command(after_help = plot::EXAMPLES)]
    Plot(plot::PlotArgs),
    /// One step in words, and its picture.
    #[command(after_help = show::EXAMPLES)]
    Show(show::ShowArgs),
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
        RldsCommand::Info(args) => info::command(args, json),
        RldsCommand::Ls(args) => ls::command(args, json),
        RldsCommand::Play(args) => play::command(args, json),
        RldsCommand::Plot(args) => plot::command(args, json),
        RldsCommand::Show(args) => show::command(args, json),
        RldsCommand::Keep(args) => keep::command(args, json),
        RldsCommand::Validate(args) => validate::command(args, json),
    }
}
