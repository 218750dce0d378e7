//! A table as gauges write it, of any size; for the test of memory and the bench.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
};

/// Writes about `mb` megabytes of CSV in rows of about 100 bytes: numbers, codes, times, places and prose. Returns the rows.
///
/// # Errors
/// When there is no room.
pub fn write_csv(out: File, mb: u64) -> std::io::Result<u64> {
    let mut out = BufWriter::new(out);
    let mut written = out.write(b"id,station,at,level,lat,lon,code,note\n")? as u64;
    let mut rows = 0_u64;
    while written < mb << 20 {
        let (minute, scrambled) = (rows % 60, rows.wrapping_mul(6_364_136_223_846_793_005) >> 20);
        let line = format!(
            "{rows},station {},2021-08-{:02} {:02}:{minute:02}:00,{}.{:03},36.{:06},136.{:06},00{:04},reading number {scrambled}\n",
            rows % 977,
            1 + rows / 100_000 % 28,
            rows / 60 % 24,
            scrambled % 30,
            scrambled % 1_000,
            scrambled % 1_000_000,
            scrambled % 999_983,
            rows % 10_000,
        );
        out.write_all(line.as_bytes())?;
        written += line.len() as u64;
        rows += 1;
    }
    out.flush()?;
    Ok(rows)
}

/// The most memory this process ever had, in megabytes, as the kernel says.
pub fn peak_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kb| kb / 1024)
}
