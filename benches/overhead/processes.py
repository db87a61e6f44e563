"""What the kernel says about a process tree: CPU time and memory."""

import os


def tree(root):
    """The process and all below it."""
    children = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as file:
                text = file.read()
        except OSError:
            continue
        parent = int(text[text.rindex(")") + 2:].split()[1])
        children.setdefault(parent, []).append(int(entry))
    found, waiting = [], [root]
    while waiting:
        process = waiting.pop()
        found.append(process)
        waiting += children.get(process, [])
    return found


def cpu_ns(root, aside=()):
    """CPU time of the tree in ns, and of the threads whose names start with one of `aside`.

    The scheduler's own count per thread (schedstat); threads that have ended are in the process's ticks only."""
    total = of_aside = 0
    for process in tree(root):
        try:
            threads, named = _threads_ns(process, aside)
            with open(f"/proc/{process}/stat") as file:
                text = file.read()
        except OSError:
            continue
        fields = text[text.rindex(")") + 2:].split()
        ticks = (int(fields[11]) + int(fields[12])) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
        total += max(threads, ticks)
        of_aside += named
    return total, of_aside


def _threads_ns(process, aside):
    total = named = 0
    for thread in os.listdir(f"/proc/{process}/task"):
        folder = f"/proc/{process}/task/{thread}"
        try:
            with open(f"{folder}/schedstat") as file:
                spent = int(file.read().split()[0])
            with open(f"{folder}/comm") as file:
                name = file.read().strip()
        except OSError:
            continue
        total += spent
        # The kernel keeps 15 bytes of a name.
        if any(name.startswith(start[:15]) for start in aside):
            named += spent
    return total, named


def memory_mb(root):
    """Proportional set size of the tree in MB."""
    kilobytes = 0
    for process in tree(root):
        try:
            with open(f"/proc/{process}/smaps_rollup") as file:
                kilobytes += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except OSError:
            continue
    return kilobytes / 1024
