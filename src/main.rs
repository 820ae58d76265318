//! The `rgctl` binary: parse, call, turn the outcome into an exit code.

fn main() -> std::process::ExitCode {
    rgctl::cli::main(std::env::args_os())
}
