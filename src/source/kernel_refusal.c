/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Why the kernel refuses, in the user's terms: it says EPERM for many causes. What is missing is looked for where it can be seen: our capabilities,
 * the lockdown, limits, settings; what is left is a container or a security module.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "source/kernel_int.h"

#define PARANOID "/proc/sys/kernel/perf_event_paranoid"
#define WITHOUT_LOCKDOWN "the kernel is locked down for confidentiality (boot with lockdown=integrity or none)"

/* First `size` - 1 bytes of a small file, "" where it can't be read. */
static void
read_small(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, size - 1);

	buf[n > 0 ? n : 0] = 0;
	if (fd >= 0)
		close(fd);
}

static bool
has_capability(int bit)
{
	char status[4096], *line;

	read_small("/proc/self/status", status, sizeof(status));
	line = strstr(status, "CapEff:");
	return line && strtoull(line + 7, NULL, 16) >> bit & 1;
}

/* "" when none is missing. */
static const char *
missing_capabilities(void)
{
	bool bpf = has_capability(CAP_BPF), perfmon = has_capability(CAP_PERFMON);

	if (has_capability(CAP_SYS_ADMIN) || (bpf && perfmon))
		return "";
	return bpf ? "CAP_PERFMON" : perfmon ? "CAP_BPF" : "CAP_BPF and CAP_PERFMON";
}

/* ---- tables and programs --------------------------------------------------------------------- */

/*
 * Does this kernel count tables and programs against the limit of locked memory? Then it says EPERM when that is used up, to every question that could
 * tell, so its version is what is left to go by: for these words alone.
 */
static bool
counts_locked_memory(void)
{
	struct utsname name;
	unsigned major, minor;

	return uname(&name) == 0 && sscanf(name.release, "%u.%u", &major, &minor) == 2 && (major < 5 || (major == 5 && minor < 11));
}

static void
explain_permission(struct text *why)
{
	const char *missing = missing_capabilities();
	struct rlimit limit;

	if (*missing)
		text_printf(why, "no %s (run as root, or: setcap cap_bpf,cap_perfmon+ep on the ktap file; kernel.unprivileged_bpf_disabled=0 "
			    "gives others no tracing)", missing);
	else if (kernel_is_locked_down())
		text_puts(why, WITHOUT_LOCKDOWN);
	else if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && counts_locked_memory())
		text_printf(why, "kernels before 5.11 count tables and programs as locked memory, of which %llu kB are permitted: raise the limit "
			    "(as root `ulimit -l unlimited`, LimitMEMLOCK= of systemd), or give ktap CAP_SYS_RESOURCE",
			    (unsigned long long)limit.rlim_cur >> 10);
	else
		text_puts(why, "not permitted here (a container without access to bpf(2)? a security module?)");
}

void
kernel_explain(int err, const char *what, struct text *why)
{
	text_printf(why, "%s: the kernel refuses: ", what);
	if (err == -EPERM || err == -EACCES)
		explain_permission(why);
	else if (err == -ENOSYS)
		text_puts(why, "it was built without eBPF (CONFIG_BPF_SYSCALL)");
	else if (err == -ENOMEM)
		text_puts(why, "not enough memory (a smaller table? memory limit of the control group)");
	else if (err == -E2BIG)
		text_puts(why, "too big");
	else if (err == -EMFILE || err == -ENFILE)
		text_puts(why, "too many open files: raise the limit (`ulimit -n`)");
	else
		text_puts(why, strerror(-err));
}

const char *
kernel_log_cause(const char *log)
{
	bool reads = strstr(log, "bpf_probe_read") && (strstr(log, "unknown func") || strstr(log, "cannot use helper"));

	return reads && kernel_is_locked_down() ? WITHOUT_LOCKDOWN ": programs may then read no memory of the kernel and copy no strings, which this handler does" : NULL;
}

/* ---- attaching ------------------------------------------------------------------------------- */

const char *
kernel_attach_cause(struct arena *arena)
{
	char level[32];

	if (!has_capability(CAP_PERFMON) && !has_capability(CAP_SYS_ADMIN))
		return "not permitted: no CAP_PERFMON (run as root, or: setcap cap_bpf,cap_perfmon+ep on the ktap file)";
	if (kernel_is_locked_down())
		return WITHOUT_LOCKDOWN;
	read_small(PARANOID, level, sizeof(level));
	level[strcspn(level, "\n")] = 0;
	if (atoi(level) > 2 && !has_capability(CAP_SYS_ADMIN))
		return arena_printf(arena, "not permitted: kernel.perf_event_paranoid is %s (as root, `sysctl kernel.perf_event_paranoid=2`)", level);
	return "not permitted here (a container without access to perf_event_open(2)? a security module?)";
}
