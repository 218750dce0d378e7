//! nginx on the same files, with signed links.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    Side,
    torv_server::{self, Server},
};

const SECRET: &str = "bench";
/// Far in the future (the year 2100), in seconds since 1970.
const EXPIRES: u64 = 4_102_444_800;

/// A running nginx; dropping it ends it.
pub struct Nginx {
    pub side: Side,
    master: Child,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Asked to quit rather than killed, the master takes its workers with it.
        let _ = Command::new("kill").args(["-QUIT", &self.master.id().to_string()]).status();
        let _ = self.master.wait();
    }
}

/// Starts nginx on the files in `dir`, which are named by their size; nothing if it is not installed.
///
/// With `open_files` it keeps the files open (`open_file_cache`), which its packages leave off.
pub fn start(dir: &Path, sizes: &[usize], open_files: bool) -> Option<Nginx> {
    let port = free_port()?;
    let (master, pids) = run(dir, port, &configuration(dir, port, open_files))?;
    let urls = sizes.iter().map(|size| signed_url(port, *size)).collect();
    Some(Nginx { side: Side { name: if open_files { "nginx+" } else { "nginx" }, pids, urls }, master })
}

/// Starts nginx as it is shipped in front of `torv`, which leaves the sending to it; nothing if it is not installed.
pub fn in_front_of(dir: &Path, torv: &Server) -> Option<Nginx> {
    let port = free_port()?;
    let (address, _) = torv.side.urls[0].strip_prefix("http://")?.split_once('/')?;
    let files = torv_server::data_dir(dir, true).join("files");
    let shipped = include_str!("../../deploy/nginx.conf")
        .replace("127.0.0.1:8080", address)
        .replace("listen 80;", &format!("listen 127.0.0.1:{port}; keepalive_requests 100000000;"))
        .replace("/var/lib/torv/files/", &format!("{}/", files.display()));
    let config =
        format!("user root;\ndaemon off;\npid {}/nginx-{port}.pid;\nerror_log stderr crit;\n{shipped}", dir.display());
    let (master, mut pids) = run(dir, port, &config)?;
    pids.extend(&torv.side.pids);
    let here = format!("127.0.0.1:{port}");
    let urls = torv.side.urls.iter().map(|url| url.replace(address, &here)).collect();
    Some(Nginx { side: Side { name: "accel", pids, urls }, master })
}

fn free_port() -> Option<u16> {
    Some(std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port())
}

/// The master, and it and its workers by their numbers.
fn run(dir: &Path, port: u16, configuration: &str) -> Option<(Child, Vec<u32>)> {
    let config = dir.join(format!("nginx-{port}.conf"));
    std::fs::write(&config, configuration).expect("the configuration is written");
    let master = Command::new("nginx")
        .args(["-c", &config.to_string_lossy(), "-p", &dir.to_string_lossy(), "-e", "stderr"])
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let pids = wait_for_workers(master.id(), workers);
    Some((master, pids))
}

fn configuration(dir: &Path, port: u16, open_files: bool) -> String {
    let dir = dir.display();
    let cache = if open_files { "max=100" } else { "off" };
    format!(
        "user root;\nworker_processes auto;\ndaemon off;\npid {dir}/nginx-{port}.pid;\nerror_log stderr crit;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n  access_log off;\n  sendfile on;\n  tcp_nopush on;\n  keepalive_requests 100000000;\n\
         open_file_cache {cache};\n\
         server {{\n  listen 127.0.0.1:{port};\n  root {dir};\n\
         location / {{\n  secure_link $arg_md5,$arg_expires;\n  secure_link_md5 \"$secure_link_expires$uri {SECRET}\";\n\
         if ($secure_link = \"\") {{ return 403; }}\n  if ($secure_link = \"0\") {{ return 410; }}\n}}\n}}\n}}\n"
    )
}

fn signed_url(port: u16, size: usize) -> String {
    let text = format!("{EXPIRES}/{size} {SECRET}");
    let output = Command::new("sh").args(["-c", "printf %s \"$0\" | md5sum", &text]).output().expect("md5sum runs");
    let digits = String::from_utf8_lossy(&output.stdout)[..32].to_owned();
    let digest = URL_SAFE_NO_PAD.encode(torv::base::digest::unhex(&digits).expect("hexadecimal digits"));
    format!("http://127.0.0.1:{port}/{size}?md5={digest}&expires={EXPIRES}")
}

fn wait_for_workers(master: u32, count: usize) -> Vec<u32> {
    let started = Instant::now();
    loop {
        let children = std::fs::read_to_string(format!("/proc/{master}/task/{master}/children")).unwrap_or_default();
        let mut pids: Vec<u32> = children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
        if pids.len() >= count || started.elapsed() > Duration::from_secs(5) {
            assert!(!pids.is_empty(), "nginx did not start");
            pids.push(master);
            return pids;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
