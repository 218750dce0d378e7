//! The integrity of what is stored, from the command line.

use std::process::ExitCode;

use super::print;
use crate::{
    base::Clock,
    bootstrap,
    config::Loaded,
    delivery::storage::{find_orphans, remove_orphans, scrub_all},
    error::Result,
};

/// Re-reads everything and says what is wrong.
pub(super) async fn scrub(loaded: Loaded, bytes_per_second: u64) -> Result<ExitCode> {
    let built = bootstrap::build(loaded.config, Clock::system()).await?;
    let bar = indicatif::ProgressBar::new(0).with_style(
        indicatif::ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
            .map_err(crate::error::Error::internal)?,
    );
    let report = scrub_all(&built.app, bytes_per_second, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })
    .await?;
    bar.finish_and_clear();
    let rows =
        [("files", report.blobs), ("bytes", report.bytes), ("damaged", report.damaged), ("missing", report.missing)];
    print(&rows.map(|(what, count)| format!("{what:<12}{count:>16}\n")).concat())?;
    Ok(if report.damaged + report.missing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Lists what nothing refers to, and removes it if that is asked for.
pub(super) async fn orphans(loaded: Loaded, remove: bool) -> Result<()> {
    let built = bootstrap::build(loaded.config, Clock::system()).await?;
    let bar = indicatif::ProgressBar::new_spinner();
    let orphans = find_orphans(&built.app, |files| bar.set_message(format!("{files} files"))).await?;
    for orphan in &orphans.found {
        print(&format!("{:>16} {} {}\n", orphan.size_bytes, orphan.modified_at.date(), orphan.name))?;
    }
    let bytes: u64 = orphans.found.iter().map(|orphan| orphan.size_bytes).sum();
    let (count, all, foreign) = (orphans.found.len(), orphans.looked_at, orphans.foreign);
    print(&format!("{count} of {all} files, {bytes} bytes, are referred to by nothing; {foreign} are not ours.\n"))?;
    if remove {
        let (files, bytes) =
            remove_orphans(&built.app, &orphans.found, |done| bar.set_message(format!("{done} removed"))).await?;
        print(&format!("Removed {files} files, {bytes} bytes.\n"))?;
    } else if count > 0 {
        print("Nothing was removed; ask for it with --remove.\n")?;
    }
    bar.finish_and_clear();
    Ok(())
}
