//! One line that shows how far long work is, on a terminal only; it leaves nothing behind.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use proto::api::BatchStatus;

/// A line of progress on stderr; silent when that is no terminal.
#[derive(Debug)]
pub(crate) struct ProgressLine(ProgressBar);

impl ProgressLine {
    /// A line with a bar.
    pub(crate) fn bar() -> Self {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{msg} [{wide_bar}] {pos}/{len}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        Self(bar)
    }

    /// A line of text whose end is not known.
    pub(crate) fn text() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    /// Shows a batch.
    pub(crate) fn show_batch(&self, batch: &BatchStatus) {
        let progress = &batch.progress;
        self.0.set_length(progress.total);
        self.0.set_position(progress.done);
        let unfinished = progress.failed + progress.expired + progress.abandoned;
        self.0.set_message(format!(
            "{}: {} predicted, {} refused, {unfinished} unfinished",
            batch.state,
            progress.predicted,
            progress.rejected + progress.skipped
        ));
    }

    /// Shows so many of so many.
    pub(crate) fn show(&self, done: u64, total: u64, message: String) {
        self.0.set_length(total);
        self.0.set_position(done);
        self.0.set_message(message);
    }

    /// Shows a text.
    pub(crate) fn say(&self, message: impl Into<String>) {
        self.0.set_message(message.into());
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
