//! Parse, wire, map the outcome to an exit code; nothing else.

fn main() -> std::process::ExitCode {
    scale_cluster_agent::cli::main()
}
