//! `cargo xtask proof`: no allocator and no panic can be reached from what the loop calls.
//!
//! *What it decides.* For each target: whether `linker-notes/proof` links, which it does only if
//! neither is reachable in the optimised code. For each negative control (`tests/sabotage/proof-*`):
//! whether its bug ends in a link error that names the symbol.
//! *What it must never do.* Take any other failure for a link error, or a proof that could not be
//! tried for one that holds.
//!
//! Where a proof fails, it is linked once more with the missing names defined, and the relocations
//! of that file tell the way to them ([`path`]). Tests: below.

mod controls;
mod path;

use crate::replay_arch::has_target;
use crate::workspace::{cargo, root, target_directory};
use crate::{Answer, Problem};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Targets, and what must be said of one.
const TARGETS: [(&str, &str); 3] = [
    ("x86_64-unknown-linux-gnu", ""),
    ("aarch64-unknown-linux-gnu", ""),
    ("thumbv7em-none-eabihf", " (without rt-ring: no 64-bit atomics there)"),
];
/// The toolchain's own linker for every target: none needs a C compiler, and all say alike what is missing.
const LINK: [&str; 2] = ["-Clinker=rust-lld", "-Clinker-flavor=ld.lld"];
/// What is linked, from the root.
const MANIFEST: &str = "linker-notes/proof/Cargo.toml";
const PROFILE: &str = "flash";
/// Functions that a proof which linked must hold: one that was optimised away proves nothing.
const KERNEL: [&str; 5] =
    ["kernel_step", "kernel_begin", "mirror_compare", "mirror_refresh", "grid_next"];
/// Those that need a ring or a slot.
const SHARED: [&str; 4] = ["publish", "read_ring", "write_slot", "read_slots"];

const EXAMPLES: &str = "\
Examples:
  cargo xtask proof                                    three targets, and every negative control
  cargo xtask proof --target thumbv7em-none-eabihf     one target, and its controls
  cargo xtask proof --no-controls                      the proofs alone
  cargo xtask proof --json";

/// What is proved.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// This target only; may be given several times.
    #[arg(long = "target", value_parser = TARGETS.map(|(target, _)| target))]
    targets: Vec<String>,
    /// Leave the negative controls out.
    #[arg(long)]
    no_controls: bool,
    /// Only compile: what `cargo xtask sabotage` asks before it trusts a no.
    #[arg(long)]
    no_run: bool,
    /// One JSON object on stdout.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Answer {
    let wanted = |target: &str| args.targets.is_empty() || args.targets.iter().any(|t| t == target);
    let targets: Vec<_> = TARGETS.into_iter().filter(|(target, _)| wanted(target)).collect();
    if let Some((lacking, _)) = targets.iter().find(|(target, _)| !has_target(target)) {
        return Err(format!(
            "proof: SKIPPED: the toolchain lacks {lacking} (rustup target add {lacking})"
        )
        .into());
    }
    let builds = target_directory()?.join("proof");
    let here = Place { tree: root(), builds: builds.clone() };
    if args.no_run {
        for (target, _) in &targets {
            here.check(target)?;
        }
        return Ok(true);
    }
    let mut report = Report::default();
    for (target, remark) in &targets {
        let proved = here.link(target)?;
        if !args.json {
            println!("{}", proved.as_text(target, remark));
        }
        report.proofs.push((target, proved));
    }
    if !args.no_controls {
        let names: Vec<&str> = targets.iter().map(|(target, _)| *target).collect();
        controls::run(&names, &builds, |control| {
            if !args.json {
                println!("{}", control.as_text());
            }
            report.controls.push(control);
        })?;
    }
    if args.json {
        println!("{}", report.as_json());
    }
    Ok(report.is_yes())
}

/// A tree whose proof is linked, and where its builds go.
struct Place {
    tree: PathBuf,
    builds: PathBuf,
}

/// Whether a proof linked.
#[derive(Debug)]
enum Linked {
    /// Nothing was missing.
    Whole,
    /// These names were missing, each with the way to it.
    Missing(Vec<Missing>),
}

/// A name that nobody defines.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Missing {
    symbol: String,
    /// From the entry to the symbol; empty where no call leads there.
    path: Vec<String>,
}

impl Place {
    fn cargo(&self, verb: &str, target: &str) -> Command {
        let mut cargo = cargo();
        cargo.current_dir(&self.tree).stdin(Stdio::null());
        cargo.args([verb, "--quiet", "--locked", "--profile", PROFILE, "--target", target]);
        cargo.args(["--manifest-path", MANIFEST, "--target-dir"]).arg(&self.builds);
        // As it ships: who plants bugs asks for incremental builds, which cannot be optimised as a whole.
        cargo.env("CARGO_INCREMENTAL", "0");
        cargo
    }

    /// Compiles, and links nothing.
    fn check(&self, target: &str) -> Result<(), Problem> {
        let is_compiled = crate::workspace::succeeds(&mut self.cargo("check", target))?;
        if is_compiled { Ok(()) } else { Err("the proof does not compile".to_owned().into()) }
    }

    fn link(&self, target: &str) -> Result<Linked, Problem> {
        let first = self.rustc(target, &[])?;
        let file = self.builds.join(target).join(PROFILE).join("proof");
        if first.status.success() {
            let held = path::functions(&file)?;
            let lacking =
                |name: &&str| !held.iter().any(|held| held.ends_with(&format!("::{name}")));
            let shared = if target.starts_with("thumb") { &[][..] } else { &SHARED };
            return match KERNEL.iter().chain(shared).find(|name| lacking(name)) {
                None => Ok(Linked::Whole),
                Some(name) => Err(format!(
                    "{target}: expected a function `{name}` in what was linked, found none"
                )
                .into()),
            };
        }
        let said = String::from_utf8_lossy(&first.stderr).into_owned();
        let symbols = undefined(&said);
        if symbols.is_empty() {
            eprint!("{said}");
            return Err(format!("{target}: the proof could not be built: see above").into());
        }
        // Defined anywhere, they can be linked, and each reference to them keeps its relocation.
        let mut arguments = vec!["-Clink-arg=--emit-relocs".to_owned()];
        arguments
            .extend(symbols.iter().map(|symbol| format!("-Clink-arg=--defsym={symbol}=0x1000")));
        let second = self.rustc(target, &arguments)?;
        if !second.status.success() {
            eprint!("{}", String::from_utf8_lossy(&second.stderr));
            return Err(format!("{target}: no path could be told: see above").into());
        }
        let missing = symbols.into_iter().map(|symbol| {
            let path = path::to(&file, &symbol, &self.tree)?;
            Ok(Missing { symbol, path })
        });
        let missing = missing.collect::<Result<_, String>>();
        // It must not be taken for a proof.
        std::fs::remove_file(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(Linked::Missing(missing?))
    }

    fn rustc(&self, target: &str, more: &[String]) -> Result<std::process::Output, String> {
        let mut cargo = self.cargo("rustc", target);
        cargo.arg("--").args(LINK).args(more).env("CARGO_TERM_COLOR", "never");
        cargo.output().map_err(|error| format!("cargo: {error}"))
    }
}

/// The names that the linker says nobody defines.
fn undefined(said: &str) -> Vec<String> {
    let names = said.lines().filter_map(|line| line.split_once("undefined symbol: "));
    let mut names: Vec<String> = names.map(|(_, name)| name.trim().to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

impl Linked {
    fn as_text(&self, target: &str, remark: &str) -> String {
        match self {
            Self::Whole => format!("{target}: no allocator reachable, no panic reachable{remark}"),
            Self::Missing(missing) => {
                let told = missing.iter().map(|missing| {
                    format!("{target}: {} can be reached:\n{}", missing.symbol, missing.steps())
                });
                told.collect::<Vec<_>>().join("\n")
            }
        }
    }

    fn as_json(&self) -> Value {
        match self {
            Self::Whole => json!({"proved": true}),
            Self::Missing(missing) => {
                let reached = missing
                    .iter()
                    .map(|missing| json!({"symbol": missing.symbol, "path": missing.path}));
                json!({"proved": false, "reached": reached.collect::<Vec<_>>()})
            }
        }
    }
}

impl Missing {
    fn steps(&self) -> String {
        if self.path.is_empty() {
            return "    by no direct call: through an address in data".to_owned();
        }
        let steps: Vec<String> = self.path.iter().map(|step| format!("    → {step}")).collect();
        steps.join("\n")
    }
}

#[derive(Default)]
struct Report<'a> {
    proofs: Vec<(&'a str, Linked)>,
    controls: Vec<controls::Control>,
}

impl Report<'_> {
    fn is_yes(&self) -> bool {
        self.proofs.iter().all(|(_, proved)| matches!(proved, Linked::Whole))
            && self.controls.iter().all(controls::Control::fails_as_it_must)
    }

    fn as_json(&self) -> Value {
        let proofs = self.proofs.iter().map(|(target, proved)| {
            let mut value = proved.as_json();
            value["target"] = json!(target);
            value
        });
        json!({
            "proofs": proofs.collect::<Vec<_>>(),
            "controls": self.controls.iter().map(controls::Control::as_json).collect::<Vec<_>>(),
            "proved": self.is_yes(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Linked, Missing, undefined};
    use crate::workspace::root;
    use std::collections::BTreeMap;

    #[test]
    fn the_names_are_those_that_the_linker_says_once_each() {
        let said = "error: linking with `rust-lld` failed\n\
                    = note: rust-lld: error: undefined symbol: panic_is_reachable\n\
                    >>> referenced by undefined.rs:17\n\
                    rust-lld: error: undefined symbol: allocation_is_reachable\n\
                    rust-lld: error: undefined symbol: panic_is_reachable\n";
        assert_eq!(undefined(said), ["allocation_is_reachable", "panic_is_reachable"]);
        assert!(undefined("error[E0425]: cannot find value `x`").is_empty());
    }

    #[test]
    fn a_proof_that_fails_prints_the_symbol_and_each_step_to_it() {
        let path = ["_start", "kernel_step", "panic_is_reachable"].map(str::to_owned).to_vec();
        let missing = Missing { symbol: "panic_is_reachable".to_owned(), path };
        let told = Linked::Missing(vec![missing]).as_text("here", "");
        assert!(
            told.starts_with("here: panic_is_reachable can be reached:\n    → _start\n"),
            "{told}"
        );
    }

    /// The lines of a section of a manifest, without its comments.
    fn section(manifest: &str, name: &str) -> Vec<String> {
        let lines = manifest.lines().skip_while(|line| *line != format!("[{name}]")).skip(1);
        let lines = lines.take_while(|line| !line.starts_with('['));
        lines.filter(|line| line.contains('=')).map(str::to_owned).collect()
    }

    #[test]
    fn the_proof_is_built_by_the_profile_that_ships() {
        let read = |path: &str| std::fs::read_to_string(root().join(path)).expect(path);
        let (ours, proof) = (read("Cargo.toml"), read(super::MANIFEST));
        for name in ["profile.release", "profile.flash"] {
            assert!(!section(&ours, name).is_empty(), "{name}");
            assert_eq!(section(&ours, name), section(&proof, name), "{name}");
        }
    }

    fn versions(lock: &str) -> BTreeMap<String, String> {
        let value = |line: &str| line.split('"').nth(1).map(str::to_owned);
        let lines: Vec<&str> = lock.lines().collect();
        let pairs = lines.windows(2).filter(|pair| pair[0].starts_with("name = "));
        pairs.filter_map(|pair| Some((value(pair[0])?, value(pair[1])?))).collect()
    }

    #[test]
    fn the_proof_links_the_versions_that_ship() {
        let read = |path: &str| std::fs::read_to_string(root().join(path)).expect(path);
        let (ours, proof) =
            (versions(&read("Cargo.lock")), versions(&read("linker-notes/proof/Cargo.lock")));
        for name in ["zerocopy", "zerocopy-derive", "libm"] {
            assert!(ours.contains_key(name), "{name}");
            assert_eq!(ours.get(name), proof.get(name), "{name}");
        }
    }
}
