//! One arena of the system's allocator instead of one for each thread.

/// Read by glibc when a program starts, and by nothing else.
const VARIABLE: &str = "MALLOC_ARENA_MAX";

/// Starts the program again, in the same process, with one arena. A list of ten thousand resources is decoded by one thread and dropped by
/// others, and arenas of their own keep twice the memory that is in use. Where that does not work the program goes on as it is.
#[expect(clippy::disallowed_methods, reason = "the binary is where the environment is read")]
pub(crate) fn allocate_from_one() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use std::os::unix::process::CommandExt as _;
        if std::env::var_os(VARIABLE).is_some() {
            return;
        }
        let mut arguments = std::env::args_os();
        let (Some(name), Ok(program)) = (arguments.next(), std::env::current_exe()) else { return };
        // It only comes back with an error, and then nothing has happened.
        let _ = std::process::Command::new(program).arg0(name).args(arguments).env(VARIABLE, "1").exec();
    }
}
