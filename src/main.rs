//! The `rgctl` binary: parse, call, turn the outcome into an exit code.

/// Plans are made of very many small texts: a third of the time of `plan` over a large world went into the system's
/// allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    rgctl::cli::main(std::env::args_os())
}
