//! The command line. Doc comments are the help that a user reads.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tidegate_core::prover::Order;
use tidegate_core::schema::config::Config;
use tidegate_patch::target::{Pattern, Selector};
use tidegate_yaml::Limits;

/// Canary releases as reviewable Git diffs
///
/// tidegate reads a service's deployment spec, knows every phase of a canary release, and writes the next phase
/// into the repository as a small diff for review. Every change it writes is safe to merge, safe to stop at and
/// safe to revert.
///
/// Exit codes: 0 fine; 1 unsafe, invalid, or files out of date; 2 could not run.
#[derive(Debug, Parser)]
#[command(
    name = "tidegate",
    version,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where to work and how to print.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlaceArgs {
    /// Run as if started in DIR
    #[arg(
        short = 'C',
        value_name = "DIR",
        default_value = ".",
        hide_default_value = true,
        global = true
    )]
    pub(crate) directory: PathBuf,
    /// Do not look for a `.tidegate` folder above DIR
    #[arg(
        long,
        value_name = "DIR",
        global = true,
        env = "TIDEGATE_ROOT",
        hide_env_values = true
    )]
    pub(crate) root: Option<PathBuf>,
    /// When to use colours
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        global = true,
        env = "TIDEGATE_COLOR",
        hide_env_values = true
    )]
    pub(crate) color: ColorChoice,
    /// Scalars, keys, lists and maps of the files of one application, with aliases written out
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 200_000,
        global = true,
        help_heading = "Bounds"
    )]
    pub(crate) max_values: usize,
    /// Bytes of memory in use until the run gives up, 256 MiB, or 128 MiB for `cmp`; looked at on Linux only
    #[arg(long, value_name = "BYTES", global = true, help_heading = "Bounds")]
    pub(crate) max_memory: Option<u64>,
}

impl PlaceArgs {
    /// What the files of one application may hold.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            nodes: self.max_values,
            ..Config::default_limits()
        }
    }
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal
    Auto,
    /// Also into a pipe
    Always,
    /// Not at all
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look at the repository and write a release file
    Init(InitArgs),
    /// Say where the release stands, and what is next
    Status(StatusArgs),
    /// Show every remaining transition: files, routing, preconditions, undo
    Plan(PlanArgs),
    /// Write the next transition
    Next(NextArgs),
    /// Set the canary's share in one environment
    Shift(ShiftArgs),
    /// Send all requests back to the stable version
    Rollback(RollbackArgs),
    /// Write the next commit on the way back to where the release started
    Abort(AbortArgs),
    /// Move the image that the stable version is pinned to
    Hotfix(HotfixArgs),
    /// Say whether the files are sound and their change is safe while it rolls out
    Check(CheckArgs),
    /// Print the manifests of one environment
    Render(RenderArgs),
    /// Apply patches to manifests and print the result
    ///
    /// The patches of a kustomization without the kustomization: strategic merge patches, JSON patches and merge patches, applied in the
    /// order given, as `kustomize build` would apply them. The result goes to standard output as a YAML stream, the objects
    /// in the order given.
    ///
    /// Without --target, a patch is for the object that it names itself by apiVersion, kind, name and namespace. In messages the
    /// operations of a JSON patch are counted from 0, as its pointers count.
    Patch(Box<PatchArgs>),
    /// Render an Application for Argo CD: the commands of a config management plugin
    Cmp(CmpArgs),
    /// Explain a diagnostic: what it means, why it matters, how to proceed
    Explain(ExplainArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
}

/// Which release.
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// The workload that is released, where there are several
    #[arg(long, value_name = "WORKLOAD")]
    pub(crate) workload: Option<String>,
}

/// What environments run.
#[derive(Debug, Args)]
pub(crate) struct DeployedArgs {
    /// What an environment runs, where it lags behind: one sync from there must be safe too; can be given several times
    #[arg(long = "deployed", value_name = "ENVIRONMENT=REV")]
    pub(crate) deployed: Vec<DeployedAt>,
}

/// An environment and the revision it runs.
#[derive(Debug, Clone)]
pub(crate) struct DeployedAt {
    /// The environment.
    pub(crate) environment: String,
    /// The revision, as git takes it.
    pub(crate) revision: String,
}

impl FromStr for DeployedAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (environment, revision) = text
            .split_once('=')
            .filter(|(environment, revision)| !environment.is_empty() && !revision.is_empty())
            .ok_or("write an environment, `=` and a revision, such as `production=HEAD~3`")?;
        Ok(Self {
            environment: environment.to_owned(),
            revision: revision.to_owned(),
        })
    }
}

/// What to do with the change.
#[derive(Debug, Args)]
#[command(next_help_heading = "Writing")]
pub(crate) struct WriteArgs {
    /// Print the diff and write nothing
    #[arg(long, conflicts_with_all = ["check", "commit"])]
    pub(crate) diff: bool,
    /// Write nothing; exit 1 if there is something to write
    #[arg(long, conflicts_with = "commit")]
    pub(crate) check: bool,
    /// Make one commit of the change, with a generated message (git hooks do not run)
    #[arg(long)]
    pub(crate) commit: bool,
    /// Go on although files have uncommitted changes
    #[arg(long)]
    pub(crate) allow_dirty: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    #[command(flatten)]
    pub(crate) release: ReleaseArgs,
    /// The traffic system (default: the one that routes to the workload)
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) provider: Option<String>,
    /// Pin the stable version to this image tag or digest (default: the tag in the files)
    #[arg(long, value_name = "TAG")]
    pub(crate) stable_tag: Option<String>,
    /// The image tag or digest of the new version, where a copy runs it beside the workload
    #[arg(long, value_name = "TAG")]
    pub(crate) canary_tag: Option<String>,
    /// What chooses between two versions of one image, with its old and its new value: `env:ENGINE=classic,rapid`, or
    /// `arg:--engine=classic,rapid` for an argument
    #[arg(long, value_name = "KIND:NAME=OLD,NEW")]
    pub(crate) flag: Option<String>,
    /// Percent to the canary, step by step (default: 1,5,25,50,100)
    #[arg(long, value_name = "PERCENT", value_delimiter = ',')]
    pub(crate) steps: Option<Vec<u64>>,
    /// Requests that meet the canary before the steps: header:NAME=VALUE, cookie:NAME=VALUE or uri:PATH, where VALUE* is how it
    /// begins; several are any of them
    #[arg(long = "match", value_name = "MATCH")]
    pub(crate) matches: Vec<String>,
    /// Send copies of this share of the requests to the canary before the steps
    #[arg(long, value_name = "PERCENT")]
    pub(crate) mirror: Option<String>,
    /// Take over a canary made by hand
    #[arg(long)]
    pub(crate) adopt: bool,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) release: ReleaseArgs,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: StatusFormat,
}

/// How to print the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusFormat {
    /// For people
    Text,
    /// A versioned schema, for programs
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Compare with this revision: a branch to merge into, or what an environment runs (default: HEAD)
    ///
    /// A hook that pre-commit runs for a range of commits compares with the first of them.
    #[arg(long, value_name = "REV", env = "PRE_COMMIT_FROM_REF", hide_env_values = true)]
    pub(crate) base: Option<String>,
    /// Judge what is about to be committed: the index instead of the files
    #[arg(long)]
    pub(crate) staged: bool,
    /// Only this environment
    #[arg(long, value_name = "ENV")]
    pub(crate) env: Option<String>,
    /// The order in which changed objects are applied
    #[arg(long, value_enum, default_value_t = OrderChoice::Any)]
    order: OrderChoice,
    /// Exit 1 on warnings too
    #[arg(long)]
    pub(crate) strict: bool,
    /// First write the files of releases again where they differ from what their phase says
    #[arg(long)]
    pub(crate) fix: bool,
    /// How to print what is found
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: CheckFormat,
}

/// How to print what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people
    Text,
    /// A versioned schema, for programs
    Json,
    /// For forges and editors
    Sarif,
    /// Annotations in the log of GitHub Actions
    Github,
    /// For a comment on a pull request
    Markdown,
}

impl CheckArgs {
    /// What is known about the order of apply.
    pub(crate) fn order(&self) -> Order {
        match self.order {
            OrderChoice::Any => Order::Any,
            OrderChoice::Argocd => Order::ArgoCd,
        }
    }
}

/// An order of apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OrderChoice {
    /// Any: every subset may be live
    Any,
    /// What one sync of Argo CD guarantees
    Argocd,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) release: ReleaseArgs,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: PlanFormat,
}

/// How to print a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// For people
    Text,
    /// A versioned schema, for programs
    Json,
    /// For a pull request
    Markdown,
}

#[derive(Debug, Args)]
pub(crate) struct NextArgs {
    #[command(flatten)]
    pub(crate) release: ReleaseArgs,
    /// Only this environment (for wire, park, ramp, hold, settle and unroute)
    #[arg(long, value_name = "ENVIRONMENT")]
    pub(crate) env: Option<String>,
    /// Be in this phase afterwards; nothing happens when it is reached already
    #[arg(long, value_name = "PHASE")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) deployed: DeployedArgs,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ShiftArgs {
    #[command(flatten)]
    pub(crate) release: ReleaseArgs,
    /// The environment
    #[arg(long, value_name = "ENVIRONMENT")]
    pub(crate) env: String,
    /// The canary's share, in percent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u64).range(0..=100))]
    pub(crate) to: u64,
    #[command(flatten)]
    pub(crate) deployed: DeployedArgs,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) release: ReleaseArgs,
    /// Only this environment
    #[arg(long, value_name = "ENVIRONMENT")]
    pub(crate) env: Option<String>,
    #[command(flatten)]
    pub(crate) deployed: DeployedArgs,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AbortArgs {
    #[command(flatten)]
    pub(crate) release: ReleaseArgs,
    #[command(flatten)]
    pub(crate) deployed: DeployedArgs,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[derive(Debug, Args)]
pub(crate) struct HotfixArgs {
    #[command(flatten)]
    pub(crate) release: ReleaseArgs,
    /// The image tag or digest to pin the stable version to
    #[arg(long, value_name = "TAG")]
    pub(crate) stable_tag: String,
    #[command(flatten)]
    pub(crate) deployed: DeployedArgs,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RenderArgs {
    /// The environment
    #[arg(long, value_name = "ENVIRONMENT")]
    pub(crate) env: String,
    /// Write one file per object into DIR instead of printing a stream
    #[arg(long, value_name = "DIR")]
    pub(crate) output_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PatchArgs {
    /// A file with one patch in each document; can be given several times
    #[arg(short, long = "patch", value_name = "PATCH", required = true)]
    pub(crate) patches: Vec<PathBuf>,
    /// What the patches are
    #[arg(long = "type", value_name = "TYPE", default_value = "auto")]
    pub(crate) kind: PatchType,
    /// The objects that the patches are for; both parts are regular expressions, an empty one is any
    #[arg(long, value_name = "KIND/NAME")]
    pub(crate) target: Option<PatchTarget>,
    /// The manifests; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// What a patch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PatchType {
    /// A list is a JSON patch, a map a strategic merge patch
    Auto,
    /// Kubernetes strategic merge patch
    Strategic,
    /// JSON merge patch, RFC 7396
    Merge,
    /// JSON patch, RFC 6902
    Json6902,
}

/// Which objects patches are for.
#[derive(Debug, Clone)]
pub(crate) struct PatchTarget {
    /// A pattern of the kind; empty for any.
    pub(crate) kind: String,
    /// A pattern of the name; empty for any.
    pub(crate) name: String,
    /// What the two select.
    pub(crate) selector: Selector,
}

impl FromStr for PatchTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = text
            .split_once('/')
            .filter(|(kind, name)| !(kind.is_empty() && name.is_empty()))
            .ok_or("write a kind, a slash and a name, such as `Deployment/web` or `Deployment/.*`")?;
        let pattern = |text| Pattern::of_field(text).map_err(|error| error.to_string());
        Ok(Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
            selector: Selector {
                kind: pattern(kind)?,
                name: pattern(name)?,
                ..Selector::default()
            },
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct CmpArgs {
    #[command(subcommand)]
    pub(crate) command: CmpCommand,
}

/// What `argocd-cmp-server` runs; each works in the Application's source folder and takes the Application from the environment.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum CmpCommand {
    /// Print the manifests of the Application: `generate` of plugin.yaml
    Generate(GenerateArgs),
    /// Print the parameters that an Application can set, as JSON: `parameters.dynamic` of plugin.yaml
    Parameters(BoundArgs),
    /// Print the spec's path where the folder holds an application, else nothing: `discover.find.command` of plugin.yaml
    Discover(BoundArgs),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct GenerateArgs {
    /// Let repositories replace the built-in templates (.tidegate/templates/)
    #[arg(long)]
    pub(crate) allow_templates: bool,
    /// Accept an environment without any object: Argo CD then deletes what it had
    #[arg(long)]
    pub(crate) allow_empty: bool,
    #[command(flatten)]
    pub(crate) bounds: BoundArgs,
}

/// What one run may cost.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Bounds")]
pub(crate) struct BoundArgs {
    /// Files read, and names in one folder
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    pub(crate) max_files: usize,
    /// Bytes of one file
    #[arg(long, value_name = "BYTES", default_value_t = 2 << 20)]
    pub(crate) max_file_bytes: u64,
    /// Bytes of all files
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20)]
    pub(crate) max_bytes: u64,
    /// Seconds until the run gives up
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    pub(crate) max_seconds: Duration,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "write a number, such as 20 or 0.5")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The code in the brackets of a message: `error[unreachable]` (default: list all)
    #[arg(value_name = "CODE")]
    pub(crate) code: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

/// What to do with a change set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteMode {
    /// Write it and print its diff.
    Write,
    /// Write it and make one commit of it.
    Commit,
    /// Print its diff only.
    Diff,
    /// Only say whether there is something to write.
    Check,
}

impl Command {
    /// What a command that changes files should do with the change; `None` for one that only reads.
    pub(crate) fn write_args(&self) -> Option<&WriteArgs> {
        match self {
            Self::Init(args) => Some(&args.write),
            Self::Next(args) => Some(&args.write),
            Self::Shift(args) => Some(&args.write),
            Self::Rollback(args) => Some(&args.write),
            Self::Abort(args) => Some(&args.write),
            Self::Hotfix(args) => Some(&args.write),
            Self::Status(_)
            | Self::Plan(_)
            | Self::Check(_)
            | Self::Render(_)
            | Self::Patch(_)
            | Self::Cmp(_)
            | Self::Explain(_)
            | Self::Completions(_)
            | Self::Man => None,
        }
    }
}

impl WriteMode {
    /// Whether files are written.
    pub(crate) fn is_writing(self) -> bool {
        matches!(self, Self::Write | Self::Commit)
    }
}

impl WriteArgs {
    /// The mode the flags ask for.
    pub(crate) fn mode(&self) -> WriteMode {
        match self {
            Self { diff: true, .. } => WriteMode::Diff,
            Self { check: true, .. } => WriteMode::Check,
            Self { commit: true, .. } => WriteMode::Commit,
            _ => WriteMode::Write,
        }
    }
}
