"""What the benchmarks share: our name, one thread, and the memory that a process holds."""

from pathlib import Path

OURS = "shrinkage"
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB")}


def resident(field: str) -> int | None:
    """Bytes that /proc/self/status gives for VmRSS or VmHWM; None where there is no /proc."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


def forget_peak() -> bool:
    """Make VmHWM start again from what is resident now; False where that cannot be done."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True
