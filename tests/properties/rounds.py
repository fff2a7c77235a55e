# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
"""
What the properties of random scripts share: how a script runs over some system calls, and rounds of them until one is wrong. Prints TAP.
"""
import os
import random
import subprocess
import sys


def run(ktap, progs, engine, source, *calls, words=()):
    command = [ktap, "-q", f"--engine={engine}", *words, "-e", source, "--", f"{progs}/calls", *calls]
    return subprocess.run(command, capture_output=True, text=True, errors="backslashreplace", timeout=240)


def rounds(claim, script, run_it, fault, usual=40):
    """
    Words of the command line: KTAP PROGS ENGINE [N [SEED]]; `usual`: N without it, or fewer, as KTAP_RANDOM_SCRIPTS says. script(random) is a script, run_it(ktap, progs, engine, source) runs it,
    fault(done) says whether what was printed is wrong.
    """
    ktap, progs, engine = sys.argv[1:4]
    n = int(sys.argv[4]) if len(sys.argv) > 4 else min(usual, int(os.environ.get("KTAP_RANDOM_SCRIPTS", usual)))
    first = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    claim = f"{n} random scripts {claim} ({engine})"
    probe = subprocess.run([ktap, "-q", f"--engine={engine}", "-e", "trace syscalls:sys_enter_getppid { }", "--", "true"],
                           capture_output=True, text=True, timeout=60)
    if probe.returncode == 3:
        print(f"1..0 # SKIP {probe.stderr.strip().splitlines()[0]}")
        return 0
    print("1..1")
    for seed in range(first, first + n):
        source = script(random.Random(seed))
        done = run_it(ktap, progs, engine, source)
        if fault(done):
            print(f"not ok 1 - {claim}")
            report = f"seed {seed}, exit status {done.returncode}\n{source}\n{done.stdout}{done.stderr}"
            print("\n".join("# " + line for line in report.splitlines()))
            return 1
    print(f"ok 1 - {claim}")
    return 0
