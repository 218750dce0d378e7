//! What the process may take and touch, kept by the system and not by the engine.

use std::{io, path::Path};

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::{Request, SPILL_DIR, TABLES_DIR};

/// Addresses beyond what operators account for: the program, threads, the allocator's arenas, files being decoded.
const OTHER_ADDRESSES_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Memory beyond what operators account for.
const OTHER_MEMORY_BYTES: u64 = 512 * 1024 * 1024;
/// A file may be this much larger than what is counted of it.
const FILE_SLACK_BYTES: u64 = 1024 * 1024;

/// What the system keeps the process from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confined {
    /// Beyond the limits, from every file but its tables, and from connections.
    Files,
    /// Beyond the limits, from nothing: this system has no Landlock.
    Limits,
}

/// Bounds this process, which carries out `request` in `folder`. Call it before there is a second thread.
///
/// # Errors
/// When the system refuses; the query must not be carried out then.
pub fn confine(request: &Request, folder: &Path) -> io::Result<Confined> {
    let limits = &request.limits;
    let file_bytes = limits.spill_bytes.max(limits.result_bytes_max).saturating_add(FILE_SLACK_BYTES);
    set(Resource::Core, 0)?;
    // At the first the system says why, at the second it no longer asks.
    let cpu = Rlimit { current: Some(limits.cpu_seconds), maximum: Some(limits.cpu_seconds.saturating_add(1)) };
    setrlimit(Resource::Cpu, cpu)?;
    set(Resource::Fsize, file_bytes)?;
    set(Resource::Nofile, limits.open_files)?;
    if cfg!(target_os = "linux") {
        // Elsewhere these are not kept, or not known.
        let memory = limits.memory_bytes.saturating_mul(2);
        set(Resource::As, memory.saturating_add(OTHER_ADDRESSES_BYTES))?;
        set(Resource::Data, memory.saturating_add(OTHER_MEMORY_BYTES))?;
    }
    restrict(request, folder)
}

fn set(resource: Resource, most: u64) -> io::Result<()> {
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}

#[cfg(target_os = "linux")]
fn restrict(request: &Request, folder: &Path) -> io::Result<Confined> {
    use landlock::{
        ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus,
        path_beneath_rules,
    };
    let abi = ABI::V5;
    let tables = folder.join(TABLES_DIR);
    // A file that was linked by its name lies elsewhere.
    let mut read = vec![tables.clone()];
    for file in request.tables.iter().flat_map(|table| &table.files) {
        read.push(tables.join(file).canonicalize()?);
    }
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(abi)))
        .and_then(Ruleset::create)
        .and_then(|ruleset| ruleset.add_rules(path_beneath_rules(&read, AccessFs::ReadFile | AccessFs::ReadDir)))
        .and_then(|ruleset| ruleset.add_rules(path_beneath_rules([folder.join(SPILL_DIR)], AccessFs::from_all(abi))))
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(io::Error::other)?;
    Ok(if status.ruleset == RulesetStatus::NotEnforced { Confined::Limits } else { Confined::Files })
}

#[cfg(not(target_os = "linux"))]
fn restrict(_: &Request, _: &Path) -> io::Result<Confined> {
    Ok(Confined::Limits)
}
