//! `tidegate check`: is what lies here sound, and is the change safe while it rolls out?

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidegate_core::check::{Claims, Ignored, Marks, Verdict, ignored, judge, lint};
use tidegate_core::checkout::Checkout;
use tidegate_core::diagnostic::{Code, Diagnostic, Failure, Location, Severity};
use tidegate_core::layout::LayoutId;
use tidegate_core::prover::Question;
use tidegate_core::repo::{Repo, RepoPath};
use tidegate_core::schema::config::Config;
use tidegate_core::transition;
use tidegate_yaml::Limits;

use super::revision::{folders_of, is_there, no_git};
use super::write::{Guard, finish};
use super::{Outcome, Stop};
use crate::args::{CheckArgs, CheckFormat, WriteArgs};
use crate::disk::{self, DiskRepo};
use crate::git::{Git, Snapshot, Staged};
use crate::report::findings::{Finding, Findings, Judged};
use crate::report::{self, check};
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, args: &CheckArgs) -> Result<Outcome, Stop> {
    if args.fix {
        fix(
            workspace,
            &Change::find(workspace, args)?.folders(workspace, args)?,
        )?;
    }
    let change = Change::find(workspace, args)?;
    let folders = change.folders(workspace, args)?;
    if !args.staged {
        for folder in &folders {
            workspace.refuse_left_out(folder)?;
        }
    }
    let root = workspace.root();
    let none = Claims::default();
    let reports = in_parallel(&folders, |folder| report_on(root, &change, folder, &none, args));
    let mut reports = reports.into_iter().collect::<Result<Vec<_>, _>>()?;
    let (contested, claimers) = contested(&reports);
    if !contested.is_empty() {
        let claims = claims(root, &change, claimers.into_iter().map(|index| &folders[index]))?;
        for index in contested {
            reports[index] = report_on(root, &change, &folders[index], &claims, args)?;
        }
    }
    let mut worst = Severity::Note;
    let mut text = String::new();
    let mut found = Findings::new(change.git.map_or("", Git::prefix));
    let mut summary = check::Summary::default();
    for report in reports {
        worst = worst.max(report.worst);
        text.push_str(&report.text);
        found.append(report.findings);
        summary.append(report.summary);
    }
    let product = match args.format {
        CheckFormat::Text => text,
        CheckFormat::Json => found.json().map_err(anyhow::Error::from)?,
        CheckFormat::Sarif => found.sarif().map_err(anyhow::Error::from)?,
        CheckFormat::Github => found.github(),
        CheckFormat::Markdown => found.markdown(),
    };
    report::product(&product)?;
    report::message(&summary.text(&change.described, args.order()));
    let is_refused = worst == Severity::Error || (args.strict && worst == Severity::Warning);
    Ok(if is_refused {
        Outcome::Refused
    } else {
        Outcome::Fine
    })
}

/// What is said of one application.
struct Report {
    worst: Severity,
    text: String,
    findings: Findings,
    summary: check::Summary,
    marks: Marks,
}

/// The applications that have an object which the release of another one puts there, and those others.
fn contested(reports: &[Report]) -> (BTreeSet<usize>, BTreeSet<usize>) {
    let mut claimers: HashMap<u64, Vec<usize>> = HashMap::new();
    for (index, report) in reports.iter().enumerate() {
        for mark in &report.marks.released {
            claimers.entry(*mark).or_default().push(index);
        }
    }
    let (mut contested, mut others) = (BTreeSet::new(), BTreeSet::new());
    for (index, report) in reports.iter().enumerate() {
        let claimed = report.marks.all.iter().filter_map(|mark| claimers.get(mark));
        for claimer in claimed.flatten().filter(|claimer| **claimer != index) {
            contested.insert(index);
            others.insert(*claimer);
        }
    }
    (contested, others)
}

fn report_on(
    root: &Path,
    change: &Change<'_>,
    folder: &RepoPath,
    claims: &Claims,
    args: &CheckArgs,
) -> Result<Report, Stop> {
    let mut checked = check_application(root, change, folder, claims, args)?;
    let severities = checked.findings.iter().map(|(_, finding)| finding.severity);
    let mut report = Report {
        worst: severities.max().unwrap_or(Severity::Note),
        text: String::new(),
        findings: Findings::new(change.git.map_or("", Git::prefix)),
        summary: check::Summary::of(folder, &checked.verdict, checked.ignored),
        marks: std::mem::take(&mut checked.marks),
    };
    let text_of = |path: &RepoPath| checked.text_of(path);
    let findings = checked.findings.iter().cloned();
    if args.format == CheckFormat::Text {
        let diagnostics: Vec<Diagnostic> = findings.map(|(_, finding)| finding).collect();
        let color = report::Color::of(&std::io::stdout());
        report.text = report::diagnostic::render(&diagnostics, &text_of, color);
        return Ok(report);
    }
    let findings = findings.map(|(environment, diagnostic)| Finding {
        application: folder.clone(),
        environment,
        diagnostic,
    });
    report.findings.add(findings, &text_of);
    let judged = checked.verdict.into_iter().flat_map(|verdict| verdict.judgements);
    report
        .findings
        .judge(judged.map(|(environment, judgement)| Judged {
            application: folder.clone(),
            environment,
            order: args.order(),
            judgement,
        }));
    Ok(report)
}

/// Fewer applications than this are not worth another thread.
const FEW: usize = 8;

/// Applies a function to every folder, on all processors; results in the order of the folders.
fn in_parallel<R: Send>(folders: &[RepoPath], apply: impl Fn(&RepoPath) -> R + Sync) -> Vec<R> {
    let threads = match folders.len() {
        0..FEW => 1,
        _ => std::thread::available_parallelism().map_or(1, usize::from),
    };
    if threads == 1 {
        return folders.iter().map(apply).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((index, folder)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            folders.get(index).map(|folder| (index, folder))
        } {
            done.push((index, apply(folder)));
        }
        done
    };
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = workers.into_iter().map(|worker| worker.join());
        joined
            .flat_map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// What is compared with what.
struct Change<'a> {
    git: Option<&'a Git>,
    /// The commit before; `None` where there is nothing to compare with.
    base: Option<String>,
    /// Files that differ.
    paths: BTreeSet<RepoPath>,
    /// The applications whose folders hold some of them.
    touched: BTreeSet<RepoPath>,
    /// The folders of manifests, plain or with a kustomization: those that a release speaks of, before or after, and the one
    /// the user is in.
    plain: BTreeMap<RepoPath, LayoutId>,
    /// Whether something that all applications share differs.
    touches_all: bool,
    /// What is staged, where that is looked at instead of the files on disk.
    staged: Option<Staged>,
    /// Both ends, for a person.
    described: String,
    /// What the files of one application may hold.
    limits: &'a Limits,
}

impl<'a> Change<'a> {
    fn find(workspace: &'a Workspace, args: &CheckArgs) -> Result<Self, Stop> {
        let git = workspace.git();
        let Some(git) = git else {
            if args.base.is_some() || args.staged {
                return Err(no_git().into());
            }
            let described = "the files as they are (no git repository: no change to judge)".to_owned();
            return Ok(Self {
                git: None,
                base: None,
                paths: BTreeSet::new(),
                touched: BTreeSet::new(),
                plain: BTreeMap::new(),
                touches_all: false,
                staged: None,
                described,
                limits: workspace.limits(),
            });
        };
        let base = match &args.base {
            Some(revision) => Some(git.commit_of(revision)?),
            None => git.head().map(str::to_owned),
        };
        let staged = match args.staged {
            true => Some(git.staged(base.as_deref())?),
            false => None,
        };
        let paths: BTreeSet<RepoPath> = match &staged {
            Some(staged) => staged.paths().cloned().collect(),
            None => git.changed(base.as_deref())?.into_iter().collect(),
        };
        let from = args.base.as_deref().unwrap_or("HEAD");
        let to = if args.staged {
            "the index"
        } else {
            "the working tree"
        };
        let described = match base {
            Some(_) => format!("{from} → {to}"),
            None => format!("{to} (there is no commit to compare with)"),
        };
        let mut folders: BTreeSet<RepoPath> = disk::released(workspace.root()).into_iter().collect();
        folders.extend(paths.iter().filter_map(disk::released_by));
        folders.extend(without_release(workspace)?);
        let mut plain = BTreeMap::new();
        for folder in folders {
            let layout = LayoutId::of(workspace.repo(), &folder, workspace.config()?);
            // What is gone was there in some way.
            let layout = layout.map_err(Failure::from)?.unwrap_or(LayoutId::Manifests);
            plain.insert(folder, layout);
        }
        let is_shared = |path: &RepoPath| {
            path.as_str() == ".tidegate" // as a link or a file, where a folder is meant
                    || path.as_str().starts_with(".tidegate/") && disk::released_by(path).is_none()
        };
        Ok(Self {
            git: Some(git),
            base,
            touched: touched(&paths, &plain),
            touches_all: paths.iter().any(is_shared),
            plain,
            paths,
            staged,
            described,
            limits: workspace.limits(),
        })
    }

    /// The applications to look at: what is staged is about those it touches alone.
    fn folders(&self, workspace: &Workspace, args: &CheckArgs) -> Result<Vec<RepoPath>, Stop> {
        let touched = self
            .touched
            .iter()
            .filter(|folder| workspace.is_in_scope(folder))
            .cloned();
        if args.staged && !self.touches_all {
            return Ok(touched.collect());
        }
        let mut folders = match workspace.application_folders() {
            Ok(folders) => folders,
            Err(Stop::Refused(_)) if !self.touched.is_empty() => Vec::new(),
            Err(stop) => return Err(stop),
        };
        // An application that is gone is still part of the change.
        folders.extend(touched);
        folders.sort();
        folders.dedup();
        Ok(folders)
    }

    /// The files of an application in the commit before, where they may differ from those on disk.
    fn before(&self, folder: &RepoPath, folders: &[RepoPath]) -> Result<Snapshot, Stop> {
        match (self.git, &self.base) {
            (Some(git), Some(base)) if self.touches(folder) => Ok(git.at(base, folders)?),
            _ => Ok(Snapshot::default()),
        }
    }

    fn layout(&self, folder: &RepoPath) -> LayoutId {
        self.plain.get(folder).copied().unwrap_or(LayoutId::Gap)
    }

    fn touches(&self, folder: &RepoPath) -> bool {
        self.touches_all || self.touched.contains(folder)
    }
}

/// The folder of manifests that the user is in, release or not.
fn without_release(workspace: &Workspace) -> Result<Option<RepoPath>, Stop> {
    // A look at one folder: only where there are manifests is it worth finding out what else is here.
    if !workspace.is_among_manifests()? {
        return Ok(None);
    }
    let folders = match workspace.application_folders() {
        Ok(folders) => folders,
        Err(Stop::Refused(_)) => return Ok(None),
        Err(stop) => return Err(stop),
    };
    let [only] = folders.as_slice() else {
        return Ok(None);
    };
    let layout = LayoutId::of(workspace.repo(), only, workspace.config()?).map_err(Failure::from)?;
    let is_plain = layout.is_some_and(|layout| layout != LayoutId::Gap);
    Ok(is_plain.then(|| only.clone()))
}

/// The applications that some files belong to.
fn touched(paths: &BTreeSet<RepoPath>, plain: &BTreeMap<RepoPath, LayoutId>) -> BTreeSet<RepoPath> {
    let mut found: BTreeSet<RepoPath> = paths.iter().filter_map(application_of).collect();
    for path in paths {
        let above = Path::new(path.as_str()).ancestors().filter_map(Path::to_str);
        let above = above.filter_map(|folder| RepoPath::new(folder).ok());
        let folders = above.chain(disk::released_by(path));
        found.extend(folders.filter(|folder| plain.contains_key(folder)));
    }
    // Bases and components may lie anywhere.
    if !paths.is_empty() {
        let kustomizations = plain.iter().filter(|(_, layout)| **layout == LayoutId::Kustomize);
        found.extend(kustomizations.map(|(folder, _)| folder.clone()));
    }
    found
}

/// The application whose `gap` folder a file is in.
fn application_of(path: &RepoPath) -> Option<RepoPath> {
    let parts: Vec<&str> = path.as_str().split('/').collect();
    let place = parts
        .iter()
        .position(|part| *part == "gap")
        .filter(|place| place + 1 < parts.len())?;
    RepoPath::new(&parts[..place].join("/")).ok()
}

/// One application, looked at.
struct Checked {
    findings: Vec<(Option<String>, Diagnostic)>,
    /// How many more there were, which a comment with a reason says are known.
    ignored: usize,
    verdict: Option<Verdict>,
    marks: Marks,
    after: Box<dyn Repo>,
    before: Snapshot,
}

impl Checked {
    /// Takes out the findings that a comment at their place ignores with a reason; says what a comment without one lacks.
    fn take_ignored(&mut self) -> usize {
        let findings = std::mem::take(&mut self.findings);
        let count = findings.len();
        for (environment, finding) in findings {
            let location = finding.location.as_ref();
            let text = location.and_then(|location| self.text_of(&location.file));
            let said = text.map_or(Ignored::No, |text| ignored(&finding, &text));
            let finding = match said {
                Ignored::Yes => continue,
                Ignored::No => finding,
                Ignored::WithoutReason => {
                    let code = finding.code.as_str();
                    finding.hint(format!(
                        "say why it is ignored: # tidegate: ignore {code} because …"
                    ))
                }
            };
            self.findings.push((environment, finding));
        }
        count - self.findings.len()
    }

    fn text_of(&self, path: &RepoPath) -> Option<String> {
        let after = self.after.read(path).ok().flatten();
        after.or_else(|| self.before.read(path).ok().flatten())
    }
}

/// What the releases of these applications put into the clusters. An application that cannot be read is told of where it is
/// checked.
fn claims<'a>(
    root: &Path,
    change: &Change<'_>,
    folders: impl Iterator<Item = &'a RepoPath>,
) -> Result<Claims, Stop> {
    let mut claims = Claims::default();
    for folder in folders {
        let (_, after) = both_ends(root, change, folder)?;
        if let Ok((_, application)) = load(after.as_ref(), folder, change.limits) {
            claims.add(&application);
        }
    }
    Ok(claims)
}

/// The files of one application before and after the change.
fn both_ends(root: &Path, change: &Change<'_>, folder: &RepoPath) -> Result<(Snapshot, Box<dyn Repo>), Stop> {
    let folders = folders_of(change.layout(folder), folder);
    Ok(match (change.git, &change.staged) {
        (Some(git), Some(staged)) => {
            let (before, after) = git.at_both_ends(staged, &folders)?;
            (before, Box::new(after))
        }
        // One for each application: what was read of the one before is not needed any more.
        _ => (change.before(folder, &folders)?, Box::new(DiskRepo::new(root))),
    })
}

fn check_application(
    root: &Path,
    change: &Change<'_>,
    folder: &RepoPath,
    claims: &Claims,
    args: &CheckArgs,
) -> Result<Checked, Stop> {
    let (before, after) = both_ends(root, change, folder)?;
    let mut checked = Checked {
        findings: Vec::new(),
        ignored: 0,
        verdict: None,
        marks: Marks::default(),
        after,
        before,
    };
    let spec = change.layout(folder).main_file(folder);
    if !is_there(checked.after.as_ref(), folder, change.limits)? {
        if is_there(&checked.before, folder, change.limits).unwrap_or(false) {
            let message = "this application is removed, with every request it serves";
            let removed = Diagnostic::warning(Code::Withdrawn, message).at(Location::file(&spec));
            checked.findings.push((None, removed.hint("fine if it is meant")));
        }
        return Ok(checked);
    }
    let mut findings = Vec::new();
    let mut verdict = None;
    match load(checked.after.as_ref(), folder, change.limits) {
        Err(Failure::Refused(problems)) => {
            findings.extend(problems.into_iter().map(|problem| (None, problem)))
        }
        Err(failure) => return Err(failure.into()),
        Ok((config, after)) => {
            let after = Checkout::from_application(checked.after.as_ref(), &config, after);
            if let Some(name) = &args.env {
                transition::check_environment(&after.application, name)?;
            }
            findings.extend(lint(&after).into_iter().map(|finding| (None, finding)));
            checked.marks = Marks::of(&after.application);
            let contested = claims.contested(&after.application);
            findings.extend(contested.into_iter().map(|finding| (None, finding)));
            let question = Question { order: args.order() };
            let is_changed = |path: &RepoPath| change.paths.contains(path);
            let earlier = earlier(&checked.before, folder, change.limits).unwrap_or_else(|failure| {
                findings.push((None, unreadable_before(&spec, &failure)));
                None
            });
            let (earlier_config, earlier) = earlier.unzip();
            let before = earlier_config
                .as_ref()
                .zip(earlier)
                .map(|(config, before)| Checkout::from_application(&checked.before, config, before));
            // With nothing to compare with, what is there is judged alone.
            let before = before.as_ref().unwrap_or(&after);
            let mut judged = judge(before, &after, args.env.as_deref(), question, &is_changed);
            let found = std::mem::take(&mut judged.diagnostics);
            findings.extend(found.into_iter().map(|(name, finding)| (Some(name), finding)));
            verdict = Some(judged);
        }
    }
    checked.findings.extend(findings);
    if verdict.is_some() {
        checked.ignored = checked.take_ignored();
    }
    checked
        .findings
        .sort_by_key(|(_, finding)| std::cmp::Reverse(finding.severity));
    checked.verdict = verdict;
    Ok(checked)
}

fn load(
    repo: &dyn Repo,
    folder: &RepoPath,
    limits: &Limits,
) -> Result<(Config, tidegate_core::model::Application), Failure> {
    let config = Config::load_within(repo, &RepoPath::root(), limits)?;
    let application = Checkout::load(repo, folder, &config)?.application;
    Ok((config, application))
}

/// The application as it was; `None` where it was not there, or has not changed.
fn earlier(
    snapshot: &Snapshot,
    folder: &RepoPath,
    limits: &Limits,
) -> Result<Option<(Config, tidegate_core::model::Application)>, Failure> {
    match is_there(snapshot, folder, limits)? {
        false => Ok(None),
        true => load(snapshot, folder, limits).map(Some),
    }
}

/// A state before that cannot be read cannot be compared with.
fn unreadable_before(spec: &RepoPath, failure: &Failure) -> Diagnostic {
    let why = match failure {
        Failure::Refused(problems) => problems.first().map_or(String::new(), |problem| {
            let file = problem.location.as_ref().map(|location| &location.file);
            // Its lines are not quoted: they are not those of the file that is there now.
            match file.filter(|file| *file != spec) {
                Some(file) => format!("{}, in {file}", problem.message),
                None => problem.message.clone(),
            }
        }),
        Failure::Read(error) => error.to_string(),
    };
    let message = format!("the application as it was cannot be read, so its change is not judged: {why}");
    Diagnostic::warning(Code::BrokenBefore, message)
        .at(Location::file(spec))
        .hint("compare with a commit that can be read: tidegate check --base REV")
}

/// Writes the files of releases again where they differ from what their phase says; an application that is gone has none.
fn fix(workspace: &Workspace, folders: &[RepoPath]) -> Result<(), Stop> {
    let write = WriteArgs {
        diff: false,
        check: false,
        commit: false,
        allow_dirty: true,
    };
    for folder in folders {
        if !is_there(workspace.repo(), folder, workspace.limits())? {
            continue;
        }
        let checkout = workspace.load(folder)?;
        for release in &checkout.application.releases {
            if let Some(transition) = transition::restore(&checkout, release)? {
                finish(
                    workspace,
                    &checkout.application,
                    &transition,
                    &write,
                    Guard::Overwritten,
                )?;
            }
        }
    }
    Ok(())
}
