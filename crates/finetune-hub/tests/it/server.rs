//! A hub on 127.0.0.1 with the addresses and headers of the real one and its redirect to a second
//! host, with faults on request. The tests of the program use it too.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use sha1::Sha1;
use sha2::{Digest, Sha256};

pub const MODEL: &str = "acme/tiny-bert";
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub const TOKEN: &str = "hf_secret";

/// What goes wrong with the next request whose path contains a given text.
#[derive(Clone)]
pub enum Fault {
    /// Answers with this status and these extra header lines, without content.
    Status(u16, String),
    /// Closes the connection after this many bytes of content.
    Cut(usize),
    /// Stays silent after this many bytes of content until the client hangs up, or for a minute.
    Silence(usize),
    /// Ignores the range: answers 200 with everything.
    IgnoreRange,
    /// Answers 206, but from the start of the file.
    WrongRange,
    /// Sends this content instead.
    Content(Vec<u8>),
}

#[derive(Clone, Debug)]
pub struct Request {
    pub host: &'static str,
    pub path: String,
    /// The host and port that it was sent to.
    pub authority: String,
    pub range: Option<String>,
    pub authorization: Option<String>,
}

pub struct Server {
    pub files: Vec<(String, Vec<u8>)>,
    /// The token without which every answer is 401.
    pub needs_token: bool,
    /// Whether the list of files has checksums.
    pub lists_checksums: bool,
    /// Whether the headers have checksums.
    pub sends_etags: bool,
    /// The commit given in the list of files.
    pub commit: String,
    pub datasets: Vec<FakeDataset>,
    /// Renamed repositories: old names with their new ones.
    pub renamed: Vec<(&'static str, &'static str)>,
    /// Number of entries per page of a data set's list of files.
    pub page: usize,
    pub faults: VecDeque<(&'static str, Fault)>,
    pub requests: Vec<Request>,
    /// Address of the second host.
    content: String,
}

/// Name, commit and files.
type Branch = (String, String, Vec<(String, Vec<u8>)>);

/// A data set: a commit and its files for each branch.
pub struct FakeDataset {
    pub name: String,
    pub branches: Vec<Branch>,
}

impl FakeDataset {
    pub fn new(name: &str, files: &[(&str, &[u8])]) -> Self {
        let empty = Self {
            name: name.to_string(),
            branches: Vec::new(),
        };
        empty.branch("main", COMMIT, files)
    }

    /// Adds another branch.
    pub fn branch(mut self, branch: &str, commit: &str, files: &[(&str, &[u8])]) -> Self {
        let files = files.iter();
        let files = files.map(|(name, content)| (name.to_string(), content.to_vec()));
        self.branches
            .push((branch.to_string(), commit.to_string(), files.collect()));
        self
    }

    fn at(&self, revision: &str) -> Option<&Branch> {
        let revision = revision.replace("%2F", "/");
        let mut branches = self.branches.iter();
        branches.find(|(branch, commit, _)| [branch, commit].contains(&&revision))
    }
}

/// Files with these extensions are in large-file storage.
fn is_large(name: &str) -> bool {
    name.ends_with(".parquet") || name.ends_with(".safetensors")
}

/// A running hub with a folder for a cache, both removed on drop.
pub struct FakeHub {
    pub server: Arc<Mutex<Server>>,
    pub endpoint: String,
    folder: tempfile::TempDir,
}

pub fn weights() -> Vec<u8> {
    (0..300_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}

pub fn sha256(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

pub fn git_blob(content: &[u8]) -> String {
    let mut hasher = Sha1::new();
    hasher.update(format!("blob {}\0", content.len()));
    hasher.update(content);
    hex(&hasher.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl FakeHub {
    /// Starts a hub with one small model.
    pub fn start() -> Self {
        let hub = TcpListener::bind("127.0.0.1:0").unwrap();
        let content = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let endpoint = address(&hub);
        let server = Arc::new(Mutex::new(Server {
            files: vec![
                ("README.md".into(), b"# tiny".to_vec()),
                ("config.json".into(), b"{\"model_type\": \"bert\"}".to_vec()),
                ("model.safetensors".into(), weights()),
                ("tokenizer.json".into(), b"{}".to_vec()),
                ("vocab.txt".into(), b"[PAD]\n".to_vec()),
            ],
            needs_token: false,
            lists_checksums: true,
            sends_etags: true,
            commit: COMMIT.to_string(),
            datasets: Vec::new(),
            renamed: Vec::new(),
            page: 2,
            faults: VecDeque::new(),
            requests: Vec::new(),
            content: address(&content),
        }));
        for (host, listener) in [("hub", hub), ("content", content)] {
            let server = Arc::clone(&server);
            // The thread ends with the test process.
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let server = Arc::clone(&server);
                    thread::spawn(move || answer(&server, host, stream));
                }
            });
        }
        Self {
            server,
            endpoint,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap()
    }

    pub fn fault(&self, path: &'static str, fault: Fault) {
        self.server().faults.push_back((path, fault));
    }

    pub fn cache(&self) -> PathBuf {
        self.folder.path().join("hub")
    }

    /// Returns the model's folder in the cache.
    pub fn root(&self) -> PathBuf {
        self.cache().join("models--acme--tiny-bert")
    }

    /// Returns the paths of the requests so far, without queries, and forgets them.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.server().requests)
    }

    /// Lists every file and link in the cache.
    pub fn cached_files(&self) -> Vec<String> {
        let mut files = Vec::new();
        walk(&self.cache(), &self.cache(), &mut files);
        files.sort();
        files
    }
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            walk(root, &entry.path(), files);
        } else {
            files.push(
                entry
                    .path()
                    .strip_prefix(root)
                    .unwrap()
                    .to_string_lossy()
                    .into_owned(),
            );
        }
    }
}

fn answer(server: &Mutex<Server>, host: &'static str, mut stream: TcpStream) {
    let Some(request) = read_request(host, &stream) else {
        return;
    };
    let (head, content, silent) = {
        let mut server = server.lock().unwrap();
        server.requests.push(request.clone());
        respond(&mut server, &request)
    };
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(&content));
    let _ = stream.flush();
    if silent {
        let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
        let _ = stream.read(&mut [0]);
    }
}

fn read_request(host: &'static str, stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut request = Request {
        host,
        path: first.split(' ').nth(1)?.to_string(),
        authority: String::new(),
        range: None,
        authorization: None,
    };
    for line in lines {
        let line = line.ok()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ")?;
        match name.to_lowercase().as_str() {
            "host" => request.authority = value.to_string(),
            "range" => request.range = Some(value.to_string()),
            "authorization" => request.authorization = Some(value.to_string()),
            _ => {}
        }
    }
    Some(request)
}

/// Head, content, and whether the connection then stays open in silence.
fn respond(server: &mut Server, request: &Request) -> (String, Vec<u8>, bool) {
    let path = request.path.as_str();
    let fault = server
        .faults
        .iter()
        .position(|(text, _)| path.contains(text))
        .and_then(|index| server.faults.remove(index))
        .map(|(_, fault)| fault);
    if let Some(Fault::Status(status, headers)) = &fault {
        return head(*status, headers, 0);
    }
    if server.needs_token && request.host == "hub" && request.authorization.is_none() {
        return head(401, "X-Error-Message: Invalid username or password.\r\n", 0);
    }
    let api = format!("/api/models/{MODEL}/revision/");
    if let Some(rest) = path.strip_prefix(&api) {
        let revision = rest.strip_suffix("?blobs=true").unwrap_or(rest);
        if !["main", "dev", "refs%2Fpr%2F1", COMMIT].contains(&revision) {
            return head(404, "X-Error-Code: RevisionNotFound\r\n", 0);
        }
        let listing = listing(server);
        let (mut text, _, _) = head(200, "", listing.len());
        text.push_str(&listing);
        return (text, Vec::new(), false);
    }
    if let Some(answer) = respond_datasets(server, request, fault.clone()) {
        return answer;
    }
    if path.starts_with("/api/models/") {
        return head(404, "X-Error-Code: RepoNotFound\r\n", 0);
    }
    let find = |name: &str| server.files.iter().find(|(file, _)| file == name);
    if let Some(name) = path.strip_prefix(&format!("/{MODEL}/resolve/{COMMIT}/")) {
        let Some((_, content)) = find(name) else {
            return head(404, "X-Error-Code: EntryNotFound\r\n", 0);
        };
        if name != "model.safetensors" {
            let etag = format!("ETag: \"{}\"\r\n", git_blob(content));
            return send(
                content,
                request,
                fault,
                if server.sends_etags { &etag } else { "" },
            );
        }
        let etag = match server.sends_etags {
            true => format!(
                "X-Linked-ETag: \"{}\"\r\nETag: \"redirect\"\r\n",
                sha256(content)
            ),
            false => String::new(),
        };
        let location = format!("{etag}Location: {}/content/weights\r\n", server.content);
        return head(302, &location, 0);
    }
    match (request.host, path) {
        ("content", "/content/weights") => {
            let (_, content) = find("model.safetensors").unwrap();
            send(content, request, fault, "ETag: \"multipart-7\"\r\n")
        }
        _ => head(404, "", 0),
    }
}

/// Answers requests about data sets; returns `None` for other addresses.
fn respond_datasets(
    server: &Server,
    request: &Request,
    fault: Option<Fault>,
) -> Option<(String, Vec<u8>, bool)> {
    let path = request.path.as_str();
    let json = |text: String, headers: &str| {
        let text = match fault.clone() {
            Some(Fault::Content(other)) => other,
            _ => text.into_bytes(),
        };
        let (head, _, _) = head(200, headers, text.len());
        (head, text, false)
    };
    if let Some(query) = path.strip_prefix("/api/datasets?search=") {
        let word = query.split('&').next().unwrap().to_lowercase();
        let names = server.datasets.iter().map(|dataset| &dataset.name);
        let near = names.filter(|name| word.contains(&name.rsplit('/').next().unwrap()[..3]));
        let named: Vec<_> = near.map(|name| format!(r#"{{"id": "{name}"}}"#)).collect();
        return Some(json(format!("[{}]", named.join(", ")), ""));
    }
    for (old, new) in &server.renamed {
        for prefix in ["/api/datasets/", "/datasets/"] {
            for word in ["revision", "tree", "resolve"] {
                if let Some(rest) = path.strip_prefix(&format!("{prefix}{old}/{word}/")) {
                    let location = format!("Location: {prefix}{new}/{word}/{rest}\r\n");
                    return Some(head(307, &location, 0));
                }
            }
        }
    }
    for dataset in &server.datasets {
        let name = &dataset.name;
        let api = format!("/api/datasets/{name}/");
        let found = |revision: &str| dataset.at(revision);
        if let Some(revision) = path.strip_prefix(&format!("{api}revision/")) {
            return Some(match found(revision) {
                Some((_, commit, _)) => {
                    json(format!(r#"{{"id": "{name}", "sha": "{commit}"}}"#), "")
                }
                None => head(404, "X-Error-Code: RevisionNotFound\r\n", 0),
            });
        }
        if let Some(rest) = path.strip_prefix(&format!("{api}tree/")) {
            let (revision, query) = rest.split_once('?').unwrap();
            let (_, _, files) = found(revision)?;
            let cursor = query
                .split_once("cursor=")
                .map_or(0, |(_, n)| n.parse().unwrap());
            let entries: Vec<_> = files.iter().skip(cursor).take(server.page).collect();
            let entries: Vec<_> = entries.iter().map(|(n, c)| entry(n, c)).collect();
            let after = cursor + server.page;
            let next = format!(
                "Link: <http://{}{api}tree/{revision}?recursive=true&cursor={after}>; rel=\"next\"\r\n",
                request.authority
            );
            let whole = after >= files.len() || matches!(fault, Some(Fault::Content(_)));
            let link = if whole { "" } else { next.as_str() };
            return Some(json(format!("[{}]", entries.join(", ")), link));
        }
        if let Some(rest) = path.strip_prefix(&format!("/datasets/{name}/resolve/")) {
            let (commit, file) = rest.split_once('/')?;
            let (_, _, files) = found(commit)?;
            let Some((_, content)) = files.iter().find(|(name, _)| name == file) else {
                return Some(head(404, "X-Error-Code: EntryNotFound\r\n", 0));
            };
            if is_large(file) {
                let location = format!(
                    "X-Linked-ETag: \"{}\"\r\nLocation: {}/content/{name}/{commit}/{file}\r\n",
                    sha256(content),
                    server.content
                );
                return Some(head(302, &location, 0));
            }
            let etag = format!("ETag: \"{}\"\r\n", git_blob(content));
            return Some(send(content, request, fault, &etag));
        }
        if let Some(rest) = path.strip_prefix(&format!("/content/{name}/")) {
            let (commit, file) = rest.split_once('/')?;
            let (_, _, files) = found(commit)?;
            let (_, content) = files.iter().find(|(name, _)| name == file)?;
            return Some(send(content, request, fault, ""));
        }
    }
    let is_dataset = path.starts_with("/api/datasets/");
    is_dataset.then(|| head(404, "X-Error-Code: RepoNotFound\r\n", 0))
}

/// Formats an entry of a list of files.
fn entry(name: &str, content: &[u8]) -> String {
    let size = content.len();
    let large = match is_large(name) {
        true => format!(
            r#", "lfs": {{"oid": "{}", "size": {size}, "pointerSize": 134}}"#,
            sha256(content)
        ),
        false => String::new(),
    };
    format!(
        r#"{{"type": "file", "path": "{name}", "size": {size}, "oid": "{}"{large}}}"#,
        git_blob(content)
    )
}

fn listing(server: &Server) -> String {
    let siblings: Vec<String> = server
        .files
        .iter()
        .map(|(name, content)| {
            let size = content.len();
            if !server.lists_checksums {
                return format!(r#"{{"rfilename": "{name}"}}"#);
            }
            let blob = git_blob(content);
            let large = match is_large(name) {
                true => format!(
                    r#", "lfs": {{"sha256": "{}", "size": {size}}}"#,
                    sha256(content)
                ),
                false => String::new(),
            };
            format!(r#"{{"rfilename": "{name}", "size": {size}, "blobId": "{blob}"{large}}}"#)
        })
        .collect();
    format!(
        r#"{{"id": "{MODEL}", "sha": "{}", "siblings": [{}]}}"#,
        server.commit,
        siblings.join(", ")
    )
}

fn send(
    content: &[u8],
    request: &Request,
    fault: Option<Fault>,
    headers: &str,
) -> (String, Vec<u8>, bool) {
    let content = match &fault {
        Some(Fault::Content(other)) => other,
        _ => content,
    };
    let total = content.len();
    let range = request
        .range
        .as_deref()
        .filter(|_| !matches!(fault, Some(Fault::IgnoreRange)));
    let (status, start, end) = match range {
        None => (200, 0, total),
        Some(range) => {
            let (start, end) = range
                .strip_prefix("bytes=")
                .unwrap()
                .split_once('-')
                .unwrap();
            let start: usize = start.parse().unwrap();
            let start = if matches!(fault, Some(Fault::WrongRange)) {
                0
            } else {
                start
            };
            if start >= total {
                return head(416, &format!("Content-Range: bytes */{total}\r\n"), 0);
            }
            (
                206,
                start,
                end.parse().map_or(total, |end: usize| end + 1).min(total),
            )
        }
    };
    let mut headers = headers.to_string();
    if status == 206 {
        headers.push_str(&format!(
            "Content-Range: bytes {start}-{}/{total}\r\n",
            end - 1
        ));
    }
    let (text, _, _) = head(status, &headers, end - start);
    let (sent, silent) = match fault {
        Some(Fault::Cut(bytes)) => (bytes.min(end - start), false),
        Some(Fault::Silence(bytes)) => (bytes.min(end - start), true),
        _ => (end - start, false),
    };
    (text, content[start..start + sent].to_vec(), silent)
}

fn head(status: u16, headers: &str, length: usize) -> (String, Vec<u8>, bool) {
    let text = format!(
        "HTTP/1.1 {status} Status\r\n{headers}X-Repo-Commit: {COMMIT}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    (text, Vec::new(), false)
}
