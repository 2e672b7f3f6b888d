//! `cargo xtask sabotage`: every oracle needs a planted bug that it catches.
//!
//! Each `tests/sabotage/*.patch` begins with an `Oracle:` and a `Why:` line. The patch is
//! applied to a copy of the tree, never to the tree itself. A bug counts as caught only if
//!
//! 1. the oracle passes on the untouched copy,
//! 2. the copy with the bug still compiles (a bug that no build lets through needs no test), and
//! 3. the oracle then fails.
//!
//! The copy and its builds stay under `target/sabotage`, so that the next run only rebuilds changes.

use crate::workspace::{files, root, target_directory};
use crate::{Answer, Problem};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

/// Where the bugs are.
pub(crate) const FOLDER: &str = "tests/sabotage";
/// Lines of an unexpected output that are shown.
const SHOWN_LINES: usize = 30;
/// Oracles between two words to whoever waits.
const PROGRESS_EVERY: usize = 20;

/// One planted bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bug {
    /// File name of the patch.
    pub(crate) name: String,
    /// The patch.
    pub(crate) path: PathBuf,
    /// Command that must fail with the bug.
    pub(crate) oracle: String,
    /// File that is hurt.
    pub(crate) hurt: String,
    /// What the bug would do to a car.
    pub(crate) why: String,
}

pub(crate) fn run(names: &[String], one_per_file: bool) -> Answer {
    let mut bugs = chosen(all()?, names).map_err(Problem::Misuse)?;
    if one_per_file {
        let mut hurt = HashSet::new();
        bugs.retain(|bug| hurt.insert(bug.hurt.clone()));
    }
    let yard = Yard::prepare("sabotage")?;
    // All oracles first: between two bugs each would cost a build of the untouched copy.
    let passes = yard.passing_oracles(&bugs)?;
    let mut escaped = 0;
    for bug in &bugs {
        let begin = Instant::now();
        let verdict = yard.try_bug(bug, &passes)?;
        let seconds = begin.elapsed().as_secs_f64();
        match verdict {
            Verdict::Caught => {
                println!("caught   {:<44} {seconds:6.1} s  by {}", bug.name, bug.oracle);
            }
            Verdict::Escaped(how) => {
                escaped += 1;
                println!("ESCAPED  {:<44} {seconds:6.1} s  {how}", bug.name);
                println!("         {}: {}", bug.hurt, bug.why);
            }
        }
    }
    println!("{} bugs planted, {} caught, {escaped} escaped", bugs.len(), bugs.len() - escaped);
    Ok(escaped == 0)
}

/// The bugs that have one of `names` in theirs; without names all. A name that none of them has is
/// refused with the nearest that one has.
fn chosen(bugs: Vec<Bug>, names: &[String]) -> Result<Vec<Bug>, String> {
    let has = |bug: &Bug, name: &String| bug.name.contains(name.as_str());
    if let Some(unknown) = names.iter().find(|name| !bugs.iter().any(|bug| has(bug, name))) {
        let likeness = |bug: &&Bug| strsim::jaro_winkler(&bug.name, unknown);
        let nearest = bugs.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let nearest = nearest.map_or("none", |bug| bug.name.as_str());
        return Err(format!(
            "sabotage: expected a part of the name of a patch in {FOLDER}, found `{unknown}`; \
             nearest valid name: {nearest}"
        ));
    }
    let wanted = |bug: &Bug| names.is_empty() || names.iter().any(|name| has(bug, name));
    Ok(bugs.into_iter().filter(wanted).collect())
}

/// Every bug, in order of its name.
pub(crate) fn all() -> Result<Vec<Bug>, String> {
    let folder = root().join(FOLDER);
    let mut bugs = Vec::new();
    for entry in fs::read_dir(&folder).map_err(|error| format!("{FOLDER}: {error}"))?.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "patch") {
            let text = fs::read_to_string(&path).map_err(|error| format!("{FOLDER}: {error}"))?;
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
            bugs.push(parse(&name.unwrap_or_default(), &path, &text)?);
        }
    }
    bugs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(bugs)
}

fn parse(name: &str, path: &Path, text: &str) -> Result<Bug, String> {
    let header =
        text.lines().take_while(|line| !line.starts_with("--- ") && !line.starts_with("diff "));
    let values: HashMap<&str, &str> = header
        .filter_map(|line| line.split_once(": "))
        .map(|(key, value)| (key, value.trim()))
        .collect();
    let value = |key: &str| {
        let found = values.get(key).filter(|value| !value.is_empty());
        found.map(|value| (*value).to_owned()).ok_or_else(|| {
            format!("{FOLDER}/{name}.patch: expected a line `{key}: …` before the diff, found none")
        })
    };
    let hurt = text.lines().find_map(|line| line.strip_prefix("+++ b/")).map(str::to_owned);
    Ok(Bug {
        name: name.to_owned(),
        path: path.to_owned(),
        oracle: value("Oracle")?,
        hurt: hurt.ok_or_else(|| format!("{FOLDER}/{name}.patch: expected a diff, found none"))?,
        why: value("Why")?,
    })
}

enum Verdict {
    Caught,
    Escaped(String),
}

/// A copy of the tree, and where it is built.
pub(crate) struct Yard {
    tree: PathBuf,
    build: PathBuf,
    /// Held for as long as the yard is used: a second run would mend the first one's bugs.
    _lock: fs::File,
}

impl Yard {
    /// The copy of this name: two that are used at a time need two names.
    pub(crate) fn prepare(name: &str) -> Result<Self, String> {
        let base = target_directory()?.join(name);
        fs::create_dir_all(base.join("tree"))
            .map_err(|error| format!("{}: {error}", base.display()))?;
        let base = base.canonicalize().map_err(|error| format!("{}: {error}", base.display()))?;
        let lock = only_user_of(&base)?;
        let yard = Self { tree: base.join("tree"), build: base.join("build"), _lock: lock };
        yard.sync(&files()?)?;
        Ok(yard)
    }

    pub(crate) fn tree(&self) -> &Path {
        &self.tree
    }

    /// Makes the copy equal to the tree, touching only what differs: cargo goes by times.
    fn sync(&self, files: &[PathBuf]) -> Result<(), String> {
        let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
        let wanted: HashSet<PathBuf> = files.iter().map(|file| self.tree.join(file)).collect();
        for (file, copy) in files.iter().map(|file| (root().join(file), self.tree.join(file))) {
            let bytes = fs::read(&file).map_err(|error| failed(&file, error))?;
            if fs::read(&copy).is_ok_and(|there| there == bytes) {
                continue;
            }
            if let Some(folder) = copy.parent() {
                fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
            }
            fs::write(&copy, bytes).map_err(|error| failed(&copy, error))?;
        }
        remove_others(&self.tree, &wanted).map_err(|error| failed(&self.tree, error))
    }

    /// Runs each oracle once on the untouched copy, and returns those that pass there.
    fn passing_oracles<'a>(&self, bugs: &'a [Bug]) -> Result<HashSet<&'a str>, String> {
        let oracles: BTreeSet<&str> = bugs.iter().map(|bug| bug.oracle.as_str()).collect();
        let (begin, all) = (Instant::now(), oracles.len());
        let mut passes = HashSet::new();
        for (done, oracle) in oracles.into_iter().enumerate() {
            if done % PROGRESS_EVERY == 0 {
                eprintln!("oracles without a bug: {done} of {all}");
            }
            let output = self.shell(oracle)?;
            if output.status.success() {
                passes.insert(oracle);
            } else {
                show(&output);
            }
        }
        let seconds = begin.elapsed().as_secs_f64();
        println!("{} of {all} oracles pass without a bug, {seconds:.0} s", passes.len());
        Ok(passes)
    }

    fn try_bug(&self, bug: &Bug, passes: &HashSet<&str>) -> Result<Verdict, String> {
        if !passes.contains(bug.oracle.as_str()) {
            return Ok(Verdict::Escaped(format!("fails without the bug too: {}", bug.oracle)));
        }
        if !self.apply(bug, false)? {
            return Ok(Verdict::Escaped("the patch does not apply any more".to_owned()));
        }
        let verdict = self.judge(bug);
        if !self.apply(bug, true)? {
            return Err(format!(
                "{}: the copy cannot be mended; remove {}",
                bug.name,
                self.tree.display()
            ));
        }
        verdict
    }

    fn judge(&self, bug: &Bug) -> Result<Verdict, String> {
        let build = self.shell(&without_running(&bug.oracle))?;
        if !build.status.success() {
            show(&build);
            return Ok(Verdict::Escaped("does not compile: mend the patch".to_owned()));
        }
        if self.shell(&bug.oracle)?.status.success() {
            return Ok(Verdict::Escaped(format!("not seen by {}", bug.oracle)));
        }
        Ok(Verdict::Caught)
    }

    /// Plants a bug, or takes it back; `false` where the patch does not apply.
    pub(crate) fn apply(&self, bug: &Bug, back: bool) -> Result<bool, String> {
        let mut git = Command::new("git");
        git.current_dir(&self.tree).args(["apply", "-p1"]);
        // The copy lies inside a repository, whose root git must not take for the patch's.
        if let Some(above) = self.tree.parent() {
            git.env("GIT_CEILING_DIRECTORIES", above);
        }
        if back {
            git.arg("-R");
        }
        let output = git
            .arg(&bug.path)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("git: {error}"))?;
        Ok(output.status.success())
    }

    fn shell(&self, command: &str) -> Result<Output, String> {
        Command::new("sh")
            .args(["-c", command])
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.build)
            // A bug changes one function: most of what was compiled before still holds.
            .env("CARGO_INCREMENTAL", "1")
            .env("CARGO_TERM_COLOR", "never")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("sh: {error}"))
    }
}

/// Waits until no other run plants bugs in `base`.
fn only_user_of(base: &Path) -> Result<fs::File, String> {
    let path = base.join("lock");
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let lock = fs::File::create(&path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => {
            eprintln!("another run plants bugs in {}: waiting for it", base.display());
            lock.lock().map_err(failed)?;
            Ok(lock)
        }
        Err(fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// The oracle's command, stopped before it runs a test.
fn without_running(oracle: &str) -> String {
    match oracle.split_once(" -- ") {
        Some((cargo, tests)) => format!("{cargo} --no-run -- {tests}"),
        None => format!("{oracle} --no-run"),
    }
}

fn show(output: &Output) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text.lines().collect();
    for line in &lines[lines.len().saturating_sub(SHOWN_LINES)..] {
        eprintln!("  | {line}");
    }
}

fn remove_others(folder: &Path, wanted: &HashSet<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            remove_others(&path, wanted)?;
        } else if !wanted.contains(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{all, chosen, only_user_of, parse, without_running};
    use std::path::Path;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    const PATCH: &str = "\
Oracle: cargo test --release -p rt-control --test control
Why: the car would keep driving: an e-stop in Arming was ignored.

--- a/rt-core/control/src/machine.rs
+++ b/rt-core/control/src/machine.rs
@@ -1 +1 @@
-Oracle: never read from here
+x
";

    #[test]
    fn a_patch_names_its_oracle_what_it_hurts_and_what_the_bug_would_do() {
        let bug = parse("estop", Path::new("estop.patch"), PATCH).expect("a whole header");
        assert_eq!(bug.oracle, "cargo test --release -p rt-control --test control");
        assert_eq!(bug.hurt, "rt-core/control/src/machine.rs");
        assert!(bug.why.contains("e-stop in Arming"));
        let error =
            parse("x", Path::new("x"), &PATCH.replace("Why:", "Reason:")).expect_err("no why");
        assert!(error.contains("`Why: …`"), "{error}");
        let header = PATCH.split("---").next().unwrap_or_default();
        assert!(parse("x", Path::new("x"), header).is_err(), "a header alone plants nothing");
    }

    #[test]
    fn a_name_that_no_patch_has_is_refused_with_the_nearest_even_beside_a_good_one() {
        let bug = |name: &str| parse(name, Path::new(name), PATCH).expect("a whole header");
        let bugs =
            || vec![bug("arm-on-level"), bug("estop-below-disarm"), bug("latch-never-opens")];
        let names =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(chosen(bugs(), &names(&[])).map(|bugs| bugs.len()), Ok(3));
        assert_eq!(chosen(bugs(), &names(&["estop", "latch"])).map(|bugs| bugs.len()), Ok(2));
        let refusal = chosen(bugs(), &names(&["estop", "latch-never-open5"])).expect_err("unknown");
        assert!(refusal.contains("found `latch-never-open5`"), "{refusal}");
        assert!(refusal.contains("nearest valid name: latch-never-opens"), "{refusal}");
    }

    #[test]
    fn an_oracle_is_compiled_before_it_is_run() {
        assert_eq!(without_running("cargo test -p x"), "cargo test -p x --no-run");
        assert_eq!(without_running("cargo test -p x -- one"), "cargo test -p x --no-run -- one");
    }

    #[test]
    fn two_runs_never_plant_in_one_copy() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = only_user_of(folder.path()).expect("nobody else is here");
        let (has, waits) = mpsc::channel();
        let base = folder.path().to_owned();
        let second = thread::spawn(move || {
            let lock = only_user_of(&base).expect("its turn comes");
            has.send(()).expect("the test waits");
            drop(lock);
        });
        assert!(waits.recv_timeout(Duration::from_millis(50)).is_err(), "both at once");
        drop(first);
        waits.recv_timeout(Duration::from_secs(60)).expect("its turn comes");
        second.join().expect("no assertion failed");
    }

    #[test]
    fn every_patch_of_this_workspace_has_a_whole_header() {
        all().expect("each header is whole");
    }
}
