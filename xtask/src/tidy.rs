//! Checks that no compiler makes.

pub(crate) fn run() -> Result<(), String> {
    println!("0 passed, 0 failed");
    Ok(())
}
