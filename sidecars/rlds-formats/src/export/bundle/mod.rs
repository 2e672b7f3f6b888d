//! `bundle`: episodes for other people, made anonymous.
//!
//! *What it decides.* What a bundle holds: no picture, no sound, no recording, no text of a person's
//! (anonymous.rs); an episode that the contract does not allow is reported and left out. *What it must
//! never do.* Hold the salt, or anything that a text can be guessed from.
//!
//! ```text
//! <to>/episodes/<name>.json               {"metadata": …, "steps": […]}
//!      reports/<name>.validation.json     what was found wrong, without the words that were found
//!      manifest.json                      last, so that a bundle that has one is whole
//! ```
//!
//! Shown by: tests/formats/bundle.rs.

mod anonymous;
#[cfg(test)]
mod planted;
mod words;

use super::{Fate, Names, Options, Ticker, Told};
use crate::atomic::{self, Unfinished};
use crate::canonical::CanonicalSource;
use crate::problem::Problem;
use crate::sample::Source;
use anonymous::{Anonymizer, DROP_KEYS, HASH_KEYS, TAG};
use rlds::validate::{Profile, Severity};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

const MANIFEST: &str = "manifest.json";
const SALT_BYTES: usize = 32;
/// Of a hash, in the name of a file.
const NAME_LETTERS: usize = 16;

/// Writes `episodes` as a bundle into `to`.
pub(super) fn export(
    episodes: &[PathBuf],
    refused: &[Told],
    to: &Path,
    options: &Options,
    ticker: &mut Ticker<'_>,
) -> Result<Vec<Told>, Problem> {
    let manifest_path = to.join(MANIFEST);
    if manifest_path.exists() {
        let found = "expected no bundle here, found one (its salt is not known any more)";
        return Err(Problem::write(&manifest_path)(io::Error::other(found)));
    }
    let anonymizer = Anonymizer::new(salt(options.salt_file.as_deref(), to)?);
    for part in ["episodes", "reports"] {
        atomic::make_directory(&to.join(part))?;
    }
    let mut bundle = Bundle {
        to,
        anonymizer: &anonymizer,
        generated_at: rfc3339(options.now_unix_ms),
        entries: Vec::new(),
        names: Names::default(),
    };
    for one in refused {
        bundle.report(Path::new(&one.source))?;
    }
    let mut told = Vec::new();
    for path in episodes {
        told.push(match bundle.episode(path, ticker) {
            Ok(told) => told,
            Err(problem) if problem.is_of_the_output() => return Err(problem),
            Err(problem) => {
                bundle.report(path)?;
                Told::skipped(path, &problem)
            }
        });
        ticker.episode();
    }
    let manifest = bundle.manifest();
    let mut text = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| Problem::write(&manifest_path)(io::Error::other(error)))?;
    text.push(b'\n');
    atomic::write_file(&manifest_path, &text)?;
    Ok(told)
}

struct Bundle<'a> {
    to: &'a Path,
    anonymizer: &'a Anonymizer,
    generated_at: String,
    entries: Vec<Value>,
    names: Names,
}

impl Bundle<'_> {
    fn episode(&mut self, path: &Path, ticker: &mut Ticker<'_>) -> Result<Told, Problem> {
        let mut source = CanonicalSource::open(path, false)?;
        let id = self.names.take(path, &source.metadata().episode_id)?;
        let name = self.name(&id);
        let target = self.to.join(format!("episodes/{name}.json"));
        let (unfinished, file) = Unfinished::file(&target)?;
        let mut output = BufWriter::with_capacity(1 << 16, file);
        let as_json = |error: serde_json::Error| Problem::input(path, "", error.to_string());
        let metadata = serde_json::to_value(source.metadata()).map_err(as_json)?;
        let metadata = self.anonymizer.metadata(metadata);
        write!(output, "{{\"metadata\": {metadata},\n\"steps\": [")
            .map_err(Problem::write(&target))?;
        let (mut steps, mut media) = (0_u64, 0_u64);
        while let Some(sample) = source.next_sample()? {
            let observation = &sample.step.observation;
            media = media
                .saturating_add(u64::from(observation.media.is_some()))
                .saturating_add(u64::from(observation.audio.is_some()));
            let step = serde_json::to_value(&sample.step).map_err(as_json)?;
            let comma = if steps == 0 { "" } else { "," };
            write!(output, "{comma}\n{}", self.anonymizer.step(step))
                .map_err(Problem::write(&target))?;
            steps = steps.saturating_add(1);
            ticker.step();
        }
        if steps == 0 {
            return Err(Problem::input(path, "", "expected at least one step, found none"));
        }
        output
            .write_all(b"\n]}\n")
            .and_then(|()| output.flush())
            .map_err(Problem::write(&target))?;
        unfinished.finish()?;
        self.write_report(&name, true, &[])?;
        self.entries.push(json!({
            "source": self.anonymizer.hash(&path.display().to_string()),
            "anonymized_path": format!("episodes/{name}.json"),
            "validation_report": format!("reports/{name}.validation.json"),
            "metadata_tags": metadata.get("tags"),
        }));
        let left_out =
            if media == 0 { Vec::new() } else { vec![("pictures and sounds".to_owned(), media)] };
        Ok(Told { left_out, ..Told::new(path, &id, Fate::Written, steps) })
    }

    fn name(&self, id: &str) -> String {
        let mut name = self.anonymizer.hash(id);
        name.truncate(NAME_LETTERS);
        name
    }

    /// The report of an episode that is left out. What was found is not told: it may be anything.
    fn report(&self, path: &Path) -> Result<(), Problem> {
        let name = self.name(&path.display().to_string());
        let mut errors = BTreeMap::new();
        let judged = rlds::validate::validate(path, Profile::Recognised, &mut |finding| {
            if finding.severity == Severity::Error {
                let count: &mut u64 = errors.entry(finding.rule).or_default();
                *count = count.saturating_add(1);
            }
        });
        let mut told: Vec<String> =
            errors.into_iter().map(|(rule, count)| format!("{rule}: {count}")).collect();
        if judged.is_err() || told.is_empty() {
            told.push("unreadable".to_owned());
        }
        self.write_report(&name, false, &told)
    }

    fn write_report(&self, name: &str, ok: bool, errors: &[String]) -> Result<(), Problem> {
        let warnings: [&str; 0] = [];
        let report = json!({
            "episode_name": name,
            "ok": ok,
            "errors": errors,
            "warnings": warnings,
            "generated_at": self.generated_at,
        });
        let path = self.to.join(format!("reports/{name}.validation.json"));
        atomic::write_file(&path, report.to_string().as_bytes())
    }

    fn manifest(&self) -> Value {
        json!({
            "generated_at": self.generated_at,
            "environment": {
                "platform": std::env::consts::OS,
                "architecture": std::env::consts::ARCH,
                "origin_tag": "continuon",
                "runtime": concat!("continuon ", env!("CARGO_PKG_VERSION")),
            },
            "anonymization": {
                "hash": "sha256",
                "salt": "random, not in this bundle",
                "drop_keys": DROP_KEYS,
                "hash_keys": HASH_KEYS,
                "hashes": "every text that is not one of the contract's own words",
                "tag": TAG,
            },
            "episodes": self.entries,
        })
    }
}

/// A salt of this bundle's own, or the one in `file`.
fn salt(file: Option<&Path>, to: &Path) -> Result<String, Problem> {
    let Some(path) = file else {
        return random_salt().map_err(Problem::write(Path::new("/dev/urandom")));
    };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = crate::canonical::real(parent.unwrap_or(Path::new(".")));
    if folder.starts_with(crate::canonical::real(to)) {
        let found = "expected a file outside the bundle, found one inside";
        return Err(Problem::write(path)(io::Error::other(found)));
    }
    match fs::read_to_string(path) {
        Ok(text) if text.trim().len() >= SALT_BYTES => Ok(text.trim().to_owned()),
        Ok(_) => {
            let found = format!("expected a salt of at least {SALT_BYTES} letters, found fewer");
            Err(Problem::write(path)(io::Error::other(found)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let salt = random_salt().map_err(Problem::write(path))?;
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            file.and_then(|mut file| file.write_all(salt.as_bytes()))
                .map_err(Problem::write(path))?;
            Ok(salt)
        }
        Err(error) => Err(Problem::write(path)(error)),
    }
}

fn random_salt() -> io::Result<String> {
    let mut bytes = [0; SALT_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(super::tfds::hex(&bytes))
}

fn rfc3339(unix_ms: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(unix_ms)).to_string()
}
