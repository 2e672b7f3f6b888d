//! The log: one line an event on stderr, tagged with the process's name, on the monotonic clock, so
//! that it can be laid beside telemetry. Shown by: tests/sidecar.rs.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::clock::mono_now;

/// `   12.345678 WARN rlds-logger: message`
struct Tagged {
    name: &'static str,
}

impl<S, N> FormatEvent<S, N> for Tagged
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let now_us = mono_now().0 / 1000;
        let (seconds, micros) = (now_us / 1_000_000, now_us % 1_000_000);
        let level = event.metadata().level();
        write!(writer, "{seconds:>6}.{micros:06} {level:>5} {}: ", self.name)?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// Begins to log as `name`. A second call changes nothing.
pub(crate) fn start(name: &'static str) {
    let started = tracing_subscriber::fmt()
        // A line that cannot be written, for want of disk for example, is told nowhere: the word
        // about it would go the same way, and a panic with it.
        .log_internal_errors(false)
        .event_format(Tagged { name })
        .with_max_level(tracing::Level::INFO)
        .with_writer(std::io::stderr)
        .try_init();
    if started.is_err() {
        tracing::debug!("a log runs already");
    }
}
