/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * denied bpf|perf_event_open|capset|process_vm_readv COMMAND...: executes the command, to which the kernel then refuses that system call (EPERM), as a container's
 * seccomp profile does.
 * denied CAP_SYS_RESOURCE COMMAND...: executes the command without that capability, which raises limits.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
	const char *name;
	unsigned number;
} calls[] = {
	{ "bpf", SYS_bpf },
	{ "perf_event_open", SYS_perf_event_open },
	{ "capset", SYS_capset },
	{ "process_vm_readv", SYS_process_vm_readv },
};

static int
deny(unsigned number)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int
main(int argc, char **argv)
{
	unsigned i;

	if (argc > 2 && strcmp(argv[1], "CAP_SYS_RESOURCE") == 0 && prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0) == 0)
		execvp(argv[2], argv + 2);
	for (i = 0; argc > 2 && i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(calls[i].name, argv[1]) == 0 && deny(calls[i].number) == 0)
			execvp(argv[2], argv + 2);
	return 2;
}
